"""AutoGraph: calls of functions inside `tf.function`, and the Python around statements, against real TensorFlow."""

import functools

from support.harness import raises
from support.statements import Cases

case = Cases()


def _helper(x):
    if x > 0:
        return x
    return x * 10


@case(3.0)
def called(tf, x):
    return _helper(x) + _helper(-x)


@case(3.0)
def lambda_(tf, x):
    f = lambda v: v * 2 if v > 0 else v  # noqa: E731
    return f(x)


@case(3.0)
def inner(tf, x):
    def g(v):
        if v > 0:
            return v + 1
        return v

    return g(x)


class _Thing:
    def __init__(self):
        self.n = 1.0

    def method(self, x):
        if x > 0:
            return x * self.n
        return x

    def __call__(self, x):
        if x > 0:
            return x + 1
        return x


class _Special(_Thing):
    def method(self, x):
        y = super().method(x)
        if y > 0:
            y = y + 100
        return y


@case(3.0)
def methods(tf, x):
    return _Thing().method(x), _Thing()(x), _Special().method(x)


@case(3.0)
def attribute_as_state(tf, x):
    o = _Thing()
    o.n = tf.constant(1.0)
    for _ in tf.range(3):
        o.n = o.n * x
    return o.n


@case(3.0)
def partial_of_function(tf, x):
    return functools.partial(_helper)(x)


@case(3.0)
def recursion(tf, x):
    def factorial(n):
        if n <= 1:
            return 1.0
        return n * factorial(n - 1)

    return factorial(4) * x


@case(3.0)
def arguments(tf, x):
    def g(a, *b, c=2, **d):
        if a > 0:
            return a + sum(b) + c + sum(d.values())
        return a

    return g(x, 1, 2, c=3, e=4)


@case([3.0, 1.0])
def function_of_map_fn(tf, t):
    return tf.map_fn(lambda v: v * 2 if v > 2 else v, t)


@case(3.0)
def do_not_convert(tf, x):
    @tf.autograph.experimental.do_not_convert
    def plain(n):
        return 1 if n > 2 else 2

    return plain(3) * x


@case([1.0, 2.0])
def len_of_tensor(tf, t):
    return len(t), t.shape[0]


@case(3.7)
def int_and_float(tf, x):
    return int(x), float(x), int("3"), abs(-x)


@case([2.0, 3.0, 1.0])
def sorted_tensor(tf, x):
    return sorted(x)


@case(3.0)
def try_finally(tf, x):
    try:
        if x > 0:
            x = x * 2
    finally:
        x = x + 1
    return x


@case(3.0)
def with_(tf, x):
    with tf.name_scope("a"):
        if x > 0:
            x = x * 2
    return x


@case(3.0)
def comprehension(tf, x):
    return tf.stack([x * i for i in range(3)]), sum(x * i for i in [1, 2])


@case(3.0)
def assertion_on_python(tf, x):
    assert x.shape == (), "scalar"
    return x


@case(3.0)
@raises(KeyError)
def raises(tf, x):
    if x > 0:
        raise KeyError("as the user wrote it")
    return x


@case(3.0)
def gradients(tf, x):
    with tf.GradientTape() as second:
        second.watch(x)
        with tf.GradientTape() as first:
            first.watch(x)
            y = x
            for i in tf.range(3):
                if y > 20.0:
                    y = y * x + tf.cast(i, tf.float32)
                else:
                    y = y * y
        g = first.gradient(y, x)
    return y, g, second.gradient(g, x)


test_like_tensorflow = case.test()
test_plain = case.test_plain("methods", "raises")
