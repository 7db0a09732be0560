"""`tf.nn` against real TensorFlow: values, dtypes, gradients, errors."""

import numpy as np
import pytest

import tapejax as ours

X = np.array([[-2.5, -1.0, 0.0, 0.5], [1.0, 3.0, 6.0, 7.5]], np.float32)
P = np.array([[0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 2.0, 0.0]], np.float32)
CASES = {
    "relu": lambda t, x: t.nn.relu(x), "relu6": lambda t, x: t.nn.relu6(x),
    "leaky": lambda t, x: t.nn.leaky_relu(x, 0.3), "elu": lambda t, x: t.nn.elu(x), "selu": lambda t, x: t.nn.selu(x),
    "gelu": lambda t, x: t.nn.gelu(x), "gelu_tanh": lambda t, x: t.nn.gelu(x, approximate=True),
    "silu": lambda t, x: t.nn.silu(x), "swish": lambda t, x: t.nn.swish(x, beta=1.5),
    "softmax": lambda t, x: t.nn.softmax(x), "softmax0": lambda t, x: t.nn.softmax(x, axis=0),
    "log_softmax": lambda t, x: t.nn.log_softmax(x),
    "sigmoid_ce": lambda t, x: t.nn.sigmoid_cross_entropy_with_logits(labels=t.constant(P), logits=x),
    "softmax_ce": lambda t, x: t.nn.softmax_cross_entropy_with_logits(labels=t.constant(P), logits=x),
    "softmax_ce0": lambda t, x: t.nn.softmax_cross_entropy_with_logits(t.constant(P), x, axis=0),
    "sparse_ce": lambda t, x: t.nn.sparse_softmax_cross_entropy_with_logits(labels=t.constant([3, 0]), logits=x),
    "l2": lambda t, x: t.nn.l2_loss(x), "bias": lambda t, x: t.nn.bias_add(x, t.constant([1.0, 2.0, 3.0, 4.0])),
    "mean": lambda t, x: t.nn.moments(x, [0])[0], "variance": lambda t, x: t.nn.moments(x, [0, 1])[1],
}  # fmt: skip


def value_and_gradients(t, case, dtype):
    x = t.constant(X.astype(dtype))
    with t.GradientTape() as outer:
        outer.watch(x)
        with t.GradientTape() as inner:
            inner.watch(x)
            y = case(t, x)
        first = inner.gradient(y, x)
    return y, first, outer.gradient(first, x)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_two_derivatives(tf, name, dtype):
    case = CASES[name]
    if dtype == "float64" and name in ("sigmoid_ce", "softmax_ce", "softmax_ce0", "bias"):
        pytest.skip("its other operand is float32")
    for mine, theirs in zip(value_and_gradients(ours, case, dtype), value_and_gradients(tf, case, dtype), strict=True):
        if theirs is None:
            assert mine is None or not np.any(mine.numpy())
            continue
        assert mine.dtype.name == theirs.dtype.name
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=3e-5, atol=3e-6)


def test_dropout_draws_tensorflow_s_mask(tf):
    for t in (tf, ours):
        t.random.set_seed(3)
    x = np.arange(1, 31, dtype=np.float32).reshape(5, 6)
    for kwargs in ({}, {"noise_shape": (5, 1)}, {"seed": 4}, {"seed": 4}):
        np.testing.assert_allclose(ours.nn.dropout(x, 0.4, **kwargs).numpy(), tf.nn.dropout(x, 0.4, **kwargs).numpy())


@pytest.mark.parametrize("call", [
    lambda t: t.nn.softmax(t.constant([1, 2])), lambda t: t.nn.dropout(t.constant([1]), 0.5),
    lambda t: t.nn.dropout(t.constant([1.0]), 1.5), lambda t: t.nn.gelu(t.constant([1])),
    lambda t: t.nn.bias_add(t.constant([[1.0, 2.0]]), t.constant([1.0])),
    lambda t: t.nn.sigmoid_cross_entropy_with_logits(labels=t.constant([1.0]), logits=t.constant([1.0, 2.0])),
    lambda t: t.nn.sparse_softmax_cross_entropy_with_logits(labels=t.constant([1]), logits=t.constant([1.0, 2.0])),
    lambda t: t.nn.softmax_cross_entropy_with_logits(labels=t.constant([[1.0, 2, 3]]), logits=t.constant([[1.0, 2]])),
])  # fmt: skip
def test_errors_are_of_tensorflow_s_class(tf, call):
    with pytest.raises(Exception) as theirs:  # noqa: B017, PT011
        call(tf)
    with pytest.raises(Exception) as mine:  # noqa: B017, PT011
        call(ours)
    assert mine.type.__name__ == theirs.type.__name__
