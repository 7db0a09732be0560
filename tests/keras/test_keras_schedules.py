"""Learning rate schedules against Keras: values, configurations, in an optimizer."""

import numpy as np
import pytest

import tapejax as ours

CASES = [
    ("ExponentialDecay", (0.1, 4, 0.5), {}), ("ExponentialDecay", (0.1, 4, 0.5), {"staircase": True}),
    ("InverseTimeDecay", (0.1, 4, 0.5), {}), ("InverseTimeDecay", (0.1, 4, 0.5), {"staircase": True}),
    ("PolynomialDecay", (0.1, 6), {}), ("PolynomialDecay", (0.1, 6, 0.01, 2.0), {}),
    ("PolynomialDecay", (0.1, 6, 0.01), {"cycle": True, "power": 0.5}),
    ("CosineDecay", (0.1, 6), {}), ("CosineDecay", (0.1, 6, 0.2), {}),
    ("CosineDecay", (0.01, 6), {"warmup_target": 0.1, "warmup_steps": 3, "alpha": 0.1}),
    ("CosineDecay", (0.01, 6), {"warmup_target": 0.1}),
    ("CosineDecayRestarts", (0.1, 4), {}), ("CosineDecayRestarts", (0.1, 3, 1.0, 0.9, 0.1), {}),
    ("CosineDecayRestarts", (0.1, 3), {"t_mul": 1.5, "m_mul": 0.5}),
    ("PiecewiseConstantDecay", ([3, 7], [0.1, 0.01, 0.001]), {}), ("PiecewiseConstantDecay", ([4], [0.5, 0.25]), {}),
    ("PiecewiseConstantDecay", ([1, 2, 5, 9], [5.0, 4.0, 3.0, 2.0, 1.0]), {"name": "steps"}),
    ("PiecewiseConstantDecay", ([2.0, 7.0], [0.1, 0.01, 0.001]), {}),
]  # fmt: skip


def made(tf, case):
    name, args, kwargs = case
    return getattr(tf.keras.optimizers.schedules, name)(*args, **kwargs)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_as_keras(tf, case):
    mine, theirs = made(ours, case), made(tf, case)
    for convert in (lambda t, step: t.constant(step, t.int64), lambda t, step: step):
        found = [mine(convert(ours, step)) for step in range(20)]
        want = [theirs(convert(tf, step)) for step in range(20)]
        assert {f.dtype.name for f in found} == {"float32"} and found[0].shape == ()
        # (Keras takes the steps of PiecewiseConstantDecay as they are, others as float32.)
        np.testing.assert_allclose([f.numpy() for f in found], [np.asarray(w) for w in want], rtol=2e-6, atol=1e-8)
    assert mine.get_config() == theirs.get_config()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_configurations(tf, case):
    mine = made(ours, case)
    schedules = ours.keras.optimizers.schedules
    assert schedules.serialize(mine) == tf.keras.optimizers.schedules.serialize(made(tf, case))
    again = schedules.deserialize(schedules.serialize(mine))
    assert type(again) is type(mine) and again.get_config() == mine.get_config()
    assert float(again(5)) == float(mine(5))


@pytest.mark.parametrize("decorate", [lambda f: f, ours.function], ids=["recorded", "function"])
def test_in_an_optimizer(decorate):
    optimizer = ours.keras.optimizers.SGD(ours.keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.25]))
    v = ours.Variable(0.0)
    step = decorate(lambda: optimizer.apply_gradients([(ours.constant(1.0), v)]))
    found = []
    for _ in range(4):
        step()
        found.append(float(v))
    assert found == [-1.0, -2.0, -2.25, -2.5]
    assert float(optimizer.learning_rate) == 0.25


def test_other_numbers_are_no_other_program():
    schedules = ours.keras.optimizers.schedules
    halves = []
    for numbers in ((1.0, 4), (3.0, 4), (5.0, 4)):
        halves.append(float(schedules.InverseTimeDecay(*numbers, 1.0)(ours.constant(4))))
        if len(halves) == 1:
            before = ours.explain().programs_compiled
    assert halves == [0.5, 1.5, 2.5]
    assert ours.explain().programs_compiled == before


def test_errors():
    schedules = ours.keras.optimizers.schedules
    for cls in (schedules.ExponentialDecay, schedules.InverseTimeDecay):
        with pytest.raises(ValueError, match="decay_steps"):
            cls(0.1, 0, 0.5)
    for cls in (schedules.PolynomialDecay, schedules.CosineDecay, schedules.CosineDecayRestarts):
        with pytest.raises(ValueError, match="decay_steps"):
            cls(0.1, 0)
    with pytest.raises(ValueError, match="length of boundaries"):
        schedules.PiecewiseConstantDecay([1], [1.0])
    with pytest.raises(AttributeError, match=r"tf\.keras\.optimizers\.schedules\.CosineDecai.*CosineDecay"):
        _ = schedules.CosineDecai
