"""The gradient of every elementwise op at its singular points, under an upstream gradient of 0 and of 1.

`tf.where` sends zeros to the side that it does not take; whether they come out as zeros is a property of each op.
"""

import numpy as np
import pytest
from support.harness import test_functions

import tapejax
from tapejax._src.core.public import names
from tapejax._src.ops.array import casting
from tapejax._src.ops.math import comparison, elementwise, transcendental
from tapejax._src.ops.nn import activations

_POINTS = np.array([-np.inf, -2, -1, -0.5, -0.0, 0.0, 0.5, 1, 2, np.inf, np.nan], np.float32)
_PAIRS = [g.ravel() for g in np.meshgrid(_POINTS[:-1], _POINTS[:-1])]
_INPUTS = {1: [_POINTS], 2: _PAIRS}
# The special functions are left out: several differ from TensorFlow's at infinities.
_FILES = {module.__name__ for module in (activations, casting, comparison, elementwise, transcendental)}
# TensorFlow adds up its gradient by `beta`.
_NOT_ELEMENTWISE = {"silu", "swish"}
_PREFIXES = ("", "math.", "nn.")


def _elementwise():
    """One public name of each function under "tf", "tf.math" and "tf.nn"."""
    found = {}
    for name in sorted(names):
        prefix, _, last = name.rpartition(".")
        if f"{prefix}." in _PREFIXES or not prefix:
            if names[name].__module__ in _FILES and last not in _NOT_ELEMENTWISE:
                found.setdefault(id(names[name]), name)
    return found.values()


def _gradients(tf, name, arity, seed):
    fn = tf
    for part in name.split("."):
        fn = getattr(fn, part)
    inputs = [tf.constant(x) for x in _INPUTS[arity]]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        out = fn(*inputs)
    if out.dtype != tf.float32 or out.shape != inputs[0].shape:
        raise TypeError("not elementwise")
    return [None if g is None else g.numpy() for g in tape.gradient(out, inputs, tf.zeros_like(out) + seed)]


@pytest.mark.parametrize("arity", [1, 2])
def test_every_op_at_its_singular_points(tf, arity):
    compared, wrong = set(), []
    for name in _elementwise():
        try:
            wanted = [_gradients(tf, name, arity, seed) for seed in (0.0, 1.0)]
        except Exception:
            continue  # TensorFlow does not take such arguments: no elementwise op of this arity
        compared.add(name.rpartition(".")[2])
        for seed, want in zip((0.0, 1.0), wanted, strict=True):
            for i, (g, w) in enumerate(zip(_gradients(tapejax, name, arity, seed), want, strict=True)):
                if (g is None) != (w is None) or (
                    g is not None and not np.allclose(g, w, rtol=1e-4, atol=1e-5, equal_nan=True)
                ):
                    wrong.append(f"{name}, upstream {seed}, by input {i}: {g} instead of {w}")
    assert not wrong, "\n".join(wrong)
    some = {1: {"sqrt", "rsqrt", "reciprocal", "log", "acosh"}, 2: {"divide", "pow", "multiply_no_nan", "xlogy"}}
    assert some[arity] <= compared


def _guarded(tf, fn):
    x = tf.constant([-2.0, -0.5, 0.0, 0.25, 4.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.where(x > 0.0, fn(x), x)
        return tape.gradient(y, x)


def guarded_square_root(tf):
    return _guarded(tf, tf.sqrt)


def guarded_reciprocal_square_root(tf):
    return _guarded(tf, tf.math.rsqrt)


def guarded_reciprocal(tf):
    return _guarded(tf, tf.math.reciprocal)


def guarded_square_root_in_a_function(tf):
    return tf.function(lambda: _guarded(tf, tf.sqrt))()


def guarded_square_root_float64(tf):
    x = tf.constant([-2.0, 0.0, 4.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.where(x > 0.0, tf.sqrt(x), x)
    return tape.gradient(y, x)


def complex_square_root(tf):
    x = tf.constant([1 + 2j, -3 + 1j, 0j], tf.complex64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.sqrt(x)
    return tape.gradient(y, x, tf.constant([1j, 2 + 0j, 0j], tf.complex64))


def second_derivatives_where_they_exist(tf):
    x = tf.constant([0.25, 4.0])
    found = []
    for fn in (tf.sqrt, tf.math.rsqrt, tf.math.reciprocal, lambda x: tf.acosh(x + 1.0)):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = fn(x)
            slope = tape.gradient(y, x)
        found.append(outer.gradient(slope, x))
    return found


test_same_as_tensorflow = test_functions(globals())
