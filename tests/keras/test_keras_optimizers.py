"""Optimizers against Keras: trajectories, names, errors; and optax's own transformations."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.harness import check_error, raises

import tapejax as ours

CASES = [
    ("Adam", {"learning_rate": 0.05}), ("Adam", {"learning_rate": 0.05, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.1, "beta_1": 0.5, "epsilon": 1e-3, "weight_decay": 0.01}),
    ("SGD", {"learning_rate": 0.1}), ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.2}), ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.5}),
    ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.1}), ("AdamW", {"learning_rate": 0.05, "amsgrad": True}),
    ("Adamax", {"learning_rate": 0.05}), ("Nadam", {"learning_rate": 0.05, "beta_1": 0.7}),
    ("Lamb", {"learning_rate": 0.05}), ("Lion", {"learning_rate": 0.05}),
    ("RMSprop", {"learning_rate": 0.05}), ("RMSprop", {"learning_rate": 0.05, "momentum": 0.5, "rho": 0.7}),
    ("RMSprop", {"learning_rate": 0.05, "centered": True, "epsilon": 1e-3}),
    ("RMSprop", {"learning_rate": 0.05, "centered": True, "momentum": 0.5, "epsilon": 1e-3}),
    ("Adagrad", {"learning_rate": 0.1}), ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.0}),
    ("Adadelta", {"learning_rate": 1.0, "epsilon": 1e-3}), ("Ftrl", {"learning_rate": 0.1}),
    ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": -0.3, "l1_regularization_strength": 0.05,
              "l2_regularization_strength": 0.2, "l2_shrinkage_regularization_strength": 0.1, "beta": 0.3}),
]  # fmt: skip


def trajectory(t, name, kwargs, dtype=np.float32):
    variables = [t.Variable(np.array(x, dtype)) for x in ([1.0, -2.0, 3.0], [[0.5], [1e-6]])]
    optimizer = getattr(t.keras.optimizers, name)(**kwargs)
    values = []
    for step in range(20):
        if step == 10:
            optimizer.learning_rate = 0.02
        grads = [
            t.constant(np.sin(np.array([1, 2, 3], dtype) * (step + 1))),
            t.constant(np.array([[1e-6], [2 + step]], dtype)),
        ]
        optimizer.apply_gradients(zip(grads, variables, strict=True))
        values.append(np.concatenate([v.numpy().ravel() for v in variables]))
    return np.array(values), optimizer


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_twenty_steps(tf, name, kwargs):
    (mine, optimizer), (theirs, reference) = (trajectory(t, name, kwargs) for t in (ours, tf))
    np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=1e-6)
    assert int(optimizer.iterations) == 20
    # Keras numbers its unnamed variables through the process: other tests count too.
    tail = [[re.sub(r"_\d+$", "", v.path.partition("/")[2]) for v in o.variables] for o in (optimizer, reference)]
    assert tail[0] == tail[1]


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_in_float64_numbers_are_rounded_where_keras_rounds_them_to_float32(tf, name, kwargs):
    (mine, _), (theirs, _) = (trajectory(t, name, kwargs, np.float64) for t in (ours, tf))
    np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-15)


def slices_trajectory(t, name, kwargs):
    """Five steps on a table of six rows, with repeated indices, beside a variable with a dense gradient."""
    variables = [t.Variable(np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)), t.Variable([1.0, -2.0])]
    optimizer = getattr(t.keras.optimizers, name)(**kwargs)
    values = []
    for step in range(5):
        rows = t.constant(np.sin(np.arange(6, dtype=np.float32) + step).reshape(3, 2))
        slices = t.IndexedSlices(rows, t.constant([[1, 1, 3], [2, 3, 4]][step % 2]), t.constant([6, 2]))
        optimizer.apply_gradients(zip([slices, rows[0]], variables, strict=True))
        values.append(np.concatenate([v.numpy().ravel() for v in (*variables, *optimizer.variables[2:])]))
    return np.array(values)


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_slices(tf, name, kwargs):
    """As Keras on TensorFlow: what decays in all rows, and that repeated rows are squared one by one."""
    kwargs = {**kwargs, "epsilon": 1.0} if kwargs.get("centered") else kwargs  # or the root's argument is negative
    mine, theirs = (slices_trajectory(t, name, kwargs) for t in (ours, tf))
    np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=1e-6)


def test_slices_out_of_reach_touch_nothing():
    table = ours.Variable(np.ones((3, 2), np.float32))
    slices = ours.IndexedSlices(ours.ones([2, 2]), ours.constant([2, 3]) - ours.constant([0, 4]), ours.constant([3, 2]))
    ours.keras.optimizers.Adagrad(0.1).apply_gradients([(slices, table)])
    assert table.numpy()[:2].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert (table.numpy()[2] < 1).all()


def test_slices_of_the_wrong_width():
    table = ours.Variable(np.ones((3, 2), np.float32))
    slices = ours.IndexedSlices(ours.ones([2, 5]), ours.constant([2, 1]), ours.constant([3, 5]))
    with pytest.raises(ValueError, match="does not fit"):
        ours.keras.optimizers.SGD(0.1).apply_gradients([(slices, table)])


@pytest.mark.parametrize("wrong", [
    ("AdamW", {"weight_decay": None}), ("Lion", {"beta_1": 0.0}), ("Ftrl", {"learning_rate_power": 1.0}),
    ("Ftrl", {"l1_regularization_strength": -1.0}), ("SGD", {"momentum": 2.0}), ("Adam", {"foo": 1}),
])  # fmt: skip
def test_wrong_arguments(tf, wrong):
    name, kwargs = wrong
    check_error(tf, raises(ValueError, lambda t: getattr(t.keras.optimizers, name)(**kwargs)))


def test_exclude_from_weight_decay(tf):
    def decayed(t):
        variables = [t.Variable(1.0, name=n) for n in ("kernel", "bias", "scale")]
        optimizer = t.keras.optimizers.AdamW(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_list=variables[2:], var_names=["bi.s"])
        for _ in range(3):
            optimizer.apply_gradients((t.constant(0.5), v) for v in variables)
        return [float(v.numpy()) for v in variables]

    np.testing.assert_allclose(decayed(ours), decayed(tf), rtol=1e-6)


def test_a_second_optimizer_compiles_nothing():
    def train():
        v = ours.Variable([1.0, 2.0])
        optimizer = ours.keras.optimizers.Nadam(0.1)
        for _ in range(3):
            optimizer.apply_gradients([(ours.constant([1.0, 2.0]), v)])
            v.numpy()

    train()
    compiled = ours.explain().programs_compiled
    train()
    assert ours.explain().programs_compiled == compiled


def test_optax_transformation():
    v = ours.Variable([1.0, 2.0])
    optimizer = ours.keras.optimizers.from_optax(optax.adamw(0.1))
    tx, grads = optax.adamw(0.1), np.float32([0.5, -1.0])
    with jax.enable_x64(True):  # as our programs run: optax's bias correction is then float64
        params = jnp.asarray(np.float32([1, 2]))
        state = tx.init(params)
        for _ in range(5):
            updates, state = tx.update(jnp.asarray(grads), state, params)
            params = optax.apply_updates(params, updates)
    for _ in range(5):
        optimizer.apply_gradients([(ours.constant(grads), v)])
    np.testing.assert_allclose(v.numpy(), params, rtol=1e-6)


def test_schedules_and_settings():
    v = ours.Variable(0.0)
    optimizer = ours.keras.optimizers.SGD(ours.keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5))
    for _ in range(3):
        optimizer.apply_gradients([(ours.constant(1.0), v)])
    assert float(v) == -1.75
    with pytest.raises(TypeError, match="not settable"):
        optimizer.learning_rate = 0.1
    assert ours.keras.optimizers.SGD(lambda: 0.5).learning_rate == 0.5


def test_minimize():
    v = ours.Variable(2.0)
    ours.keras.optimizers.SGD(0.25).minimize(lambda: v * v, [v])
    assert float(v) == 1.0
    with pytest.raises(ValueError, match="tape"):
        ours.keras.optimizers.SGD(0.25).minimize(ours.constant(1.0), [v])


def test_errors_and_warnings():
    v, w = ours.Variable(1.0, name="v"), ours.Variable(1.0)
    optimizer = ours.keras.optimizers.SGD(0.5)
    with pytest.raises(ValueError, match="No gradients provided"):
        optimizer.apply_gradients([(None, v)])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply_gradients([(ours.constant(1.0), w)])
    with pytest.raises(ValueError, match="not recognized"):
        ours.keras.optimizers.SGD(0.5, foo=1)
    both = ours.keras.optimizers.SGD(0.5)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        both.apply_gradients([(None, v), (ours.constant(1.0), w)])
    assert (float(v), float(w)) == (1.0, 0.5)
