"""Special functions against real TensorFlow: value, dtype, first and second derivative, errors."""

import numpy as np
from support import harness
from support.harness import Case, f32, raises

import tapejax

POSITIVE = f32(0.3, 1.0, 2.5, 7.0)
ANY = f32(-3.0, -0.5, 0.25, 4.0)
UNIT = f32(0.1, 0.5, 0.75, 0.97)


def row(name, *inputs, order=2, rtol=3e-5):
    def call(tf, *xs):
        found = tf.math
        for part in name.split()[0].split("."):
            found = getattr(found, part)
        return found(*xs)

    return Case(name, call, inputs, order, rtol)


CASES = [
    *(row(n, ANY) for n in ["bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e"]),
    *(row(f"special.{n}", ANY, order=1) for n in ["bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e"]),
    *(row(f"{n} at 0", f32(0), order=1) for n in ["bessel_i0", "bessel_i0e", "bessel_i1e"]),
    row("erfinv", f32(-0.9, -0.1, 0.0, 0.6)),
    row("erfinv corners", f32(-1, 1, 2), order=0),
    row("erfinv 64", np.array([0.3, -0.7])),
    row("erfcinv", f32(0.2, 0.9, 1.0, 1.7)),
    row("ndtri", UNIT),
    row("ndtri corners", f32(0, 1, -1), order=0),
    row("igamma", POSITIVE, f32(0.5, 1.0, 4.0, 6.0), order=1, rtol=2e-4),
    row("igamma 64", POSITIVE.astype(np.float64), np.array([0.5, 1.0, 4.0, 6.0]), order=1, rtol=2e-4),
    row("igamma corners", f32(1, -1, 2, 0, 0, 2), f32(0, 1, -1, 1, 0, np.inf), order=0),
    row("igamma broadcasts", f32(2.0), POSITIVE, order=1, rtol=2e-4),
    row("igammac", POSITIVE, f32(0.5, 1.0, 4.0, 6.0), order=1, rtol=2e-4),
    row("betainc", POSITIVE, f32(2.0, 1.0, 0.5, 3.0), UNIT, order=1),
    row("zeta", f32(1.5, 2.0, 3.0, 5.0), POSITIVE, order=1),
    row("polygamma", f32(0, 1, 2, 3), POSITIVE, order=1, rtol=1e-4),
    row("polygamma no order", f32(0.5, -1), f32(1, 1), order=0),
    row("lbeta", f32([0.5, 2.0, 3.0], [1.0, 1.0, 4.0]), rtol=2e-5),
    row("lbeta nothing", np.zeros([2, 0], np.float32), order=0),
    row("nextafter", f32(1, 2, 0), f32(2, 1, 0)),
    row("special.expint", f32(0.3, 1.0, 2.5), order=1),
    row("special.spence", f32(0.3, 1.5, 2.5), order=1),
    Case("polyval", lambda tf, a, x: tf.math.polyval([a, 2.0, a * a], x), [f32(2.0), ANY], rtol=1e-5),
]
test_special = harness.test_of(CASES)


def test_slopes_at_zero():
    """TensorFlow says 1 for the slope of bessel_i1 at 0; it is 0.5."""
    x = tapejax.constant(0.0)
    with tapejax.GradientTape() as tape:
        tape.watch(x)
        y = tapejax.math.bessel_i1(x)
    assert float(tape.gradient(y, x)) == 0.5


test_as_tensorflow = harness.test_of(
    [
        raises("InvalidArgumentError", lambda tf: tf.math.nextafter(tf.constant(1.0, tf.float16), 2.0)),
        lambda tf, x: tf.math.polyval([], x),
        raises(ValueError, lambda tf: tf.math.polyval(1.0, 2.0)),
        lambda tf, i: tf.math.polyval([1, 2], i),
        raises("InvalidArgumentError", lambda tf, i: tf.math.erfinv(i)),
        raises("InvalidArgumentError", lambda tf, x: tf.math.igamma(x, tf.zeros([4]))),
        lambda tf: tf.math.igamma(1.0, tf.constant(1.0, tf.float64)),
        raises("InvalidArgumentError", lambda tf, i: tf.math.zeta(i, i)),
        raises("InvalidArgumentError", lambda tf: tf.math.lbeta(1.0)),
        raises("InvalidArgumentError", lambda tf, c: tf.math.bessel_i0(c)),
    ]
)
