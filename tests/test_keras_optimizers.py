"""Optimizers against Keras: trajectories, names, errors; and optax's own transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import tapejax as ours

CASES = [
    ("Adam", {"learning_rate": 0.05}), ("Adam", {"learning_rate": 0.05, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.1, "beta_1": 0.5, "epsilon": 1e-3, "weight_decay": 0.01}),
    ("SGD", {"learning_rate": 0.1}), ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.2}), ("SGD", {"learning_rate": 0.1, "global_clipnorm": 0.5}),
]  # fmt: skip


def trajectory(t, name, kwargs):
    variables = [t.Variable([1.0, -2.0, 3.0]), t.Variable([[0.5], [1e-6]])]
    optimizer = getattr(t.keras.optimizers, name)(**kwargs)
    values = []
    for step in range(20):
        if step == 10:
            optimizer.learning_rate = 0.02
        grads = [t.constant(np.sin(np.float32([1, 2, 3]) * (step + 1))), t.constant(np.float32([[1e-6], [2 + step]]))]
        optimizer.apply_gradients(zip(grads, variables, strict=True))
        values.append(np.concatenate([v.numpy().ravel() for v in variables]))
    return np.array(values), optimizer


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_twenty_steps(tf, name, kwargs):
    (mine, optimizer), (theirs, reference) = (trajectory(t, name, kwargs) for t in (ours, tf))
    np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=1e-6)
    assert int(optimizer.iterations) == 20
    tail = [[v.path.partition("/")[2] for v in o.variables] for o in (optimizer, reference)]
    assert tail[0] == tail[1]


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
