"""Arguments that do not match, or do: input signatures and concrete functions, against real TensorFlow."""

from typing import Any

import numpy as np
import pytest
from support import harness
from support.harness import raises

import tapejax


def _f(tf: Any) -> Any:
    """A function of one argument with an input signature."""
    return lambda shape, dtype="float32", fn=lambda x: x: tf.function(fn, input_signature=[tf.TensorSpec(shape, dtype)])


def _g(tf: Any) -> Any:
    """A function with these specs."""
    return lambda fn, *specs: tf.function(fn, input_signature=list(specs))


def _c(tf: Any) -> Any:
    """A concrete function for these arguments."""
    return lambda fn, *args, **kwargs: tf.function(fn).get_concrete_function(*args, **kwargs)


def _s(tf: Any) -> Any:
    return tf.TensorSpec([])


def _keyword(x: Any, *, k: float = 2.0) -> Any:
    return x * k


def _needs_keyword(x: Any, *, k: Any) -> Any:
    return x * k


def _takes_more(x: Any, **more: Any) -> Any:
    return x


test_input_signatures = harness.test_of(
    [
        # What fits, or is converted.
        lambda f: f([None, 3])([[1, 2, 3]]),
        lambda f: f([2])(np.ones(2)),
        lambda f: f([2])(np.ones(2, int)),
        lambda f: f([])(2),
        lambda f: f([])(np.float64(2)),
        lambda tf, f: f([2])(tf.Variable([1.0, 2.0])) * 1.0,
        lambda tf, f: f(None)(tf.ones([2, 2])),
        lambda g, s: g(lambda d: d["a"] - d["b"], {"a": s, "b": s})({"b": 1.0, "a": 2.0}),
        lambda tf, g: g(lambda: tf.ones([2]))(),
        lambda g, s: g(lambda d: d[0] - d[1], (s, s))((1.0, 2.0)),
        lambda g, s: g(lambda *x: x[0] - x[1], s, s)(1.0, 3.0),
        lambda g, s: g(lambda x, y: x - y, s, s)(y=1.0, x=3.0),
        lambda g, s: g(lambda x, y=2.0: x * y, s)(1.0, 2.0),
        lambda g, s, keyword: g(keyword, s)(1.0, k=2.0),
        lambda g, s: g(lambda x, y=None: x * y, s, s)(1.0, 3.0),
        # What does not.
        raises(TypeError, lambda tf, f: f([None, 3])(tf.ones([2, 4]))),
        raises(TypeError, lambda tf, f: f([2])(tf.ones([2], tf.float64))),
        raises(TypeError, lambda f: f([2])([1.0])),
        raises(TypeError, lambda f: f([2])(np.ones(3, "f"))),
        raises(TypeError, lambda f: f([2])("a")),
        raises(TypeError, lambda f: f([2])(None)),
        raises(TypeError, lambda f: f([2, None])([[1.0], [2.0, 3.0]])),
        raises(TypeError, lambda f: f([], "int32")(2.5)),
        raises(TypeError, lambda f: f([])(1.0, 2.0)),
        raises(TypeError, lambda f: f([])()),
        raises(TypeError, lambda f: f([])(1.0, z=1.0)),
        raises(TypeError, lambda tf, f: f(None)(tf.constant(1))),
        raises(TypeError, lambda g, s: g(lambda x, y: x, s, s)(1.0)),
        raises(TypeError, lambda g, s: g(lambda d: d["a"], {"a": s, "b": s})({"a": 1.0})),
        raises(TypeError, lambda g, s: g(lambda d: d["a"], {"a": s})({"a": 1.0, "b": 2.0})),
        raises(TypeError, lambda g, s: g(lambda d: d[0], (s, s))((1.0, 2.0, 3.0))),
        raises(TypeError, lambda g, s: g(lambda d: d[0], (s, s))([1.0, 2.0])),
        raises(TypeError, lambda tf, g: g(lambda: tf.ones([2]))(1)),
        raises(TypeError, lambda g, s: g(lambda *x: x[0], s, s)(1.0)),
        raises(TypeError, lambda g, s, takes_more: g(takes_more, s)(1.0, a=1)),
        raises(TypeError, lambda g, s, keyword: g(keyword, s)(1.0, k=3.0)),
        raises(TypeError, lambda g, s: g(lambda x, y=2.0: x * y, s)(1.0, 3.0)),
        raises(TypeError, lambda tf, g, s: g(lambda x, y=2.0: x * y, s)(1.0, tf.constant(2.0))),
        # Signatures that make no sense.
        raises(TypeError, lambda g, s: g(lambda x: x, s, s)),
        raises(TypeError, lambda g, s, needs_keyword: g(needs_keyword, s)),
        raises(TypeError, lambda g, s: g(lambda x, y: x, s)),
        raises(TypeError, lambda g: g(lambda x: x, 1)),
        raises(TypeError, lambda tf: tf.function(len, [1])),
    ],
    f=_f,
    g=_g,
    s=_s,
    keyword=lambda tf: _keyword,
    needs_keyword=lambda tf: _needs_keyword,
    takes_more=lambda tf: _takes_more,
)


test_concrete_functions = harness.test_of(
    [
        lambda tf, c: c(lambda x, y: x * y, tf.TensorSpec([2]), 3.0)(tf.ones(2)),
        lambda tf, c, s: c(lambda x, y: x * y, s, 3.0)(tf.ones([]), 3.0),
        raises(TypeError, lambda tf, c, s: c(lambda x, y: x * y, s, 3.0)(tf.ones([]), 4.0)),
        lambda tf, c, s: c(lambda x, y: x - y, s, s)(y=tf.ones([]), x=tf.zeros([])),
        lambda tf, c: c(lambda x: x, tf.TensorSpec([2]))([1.0, 2.0]),
        lambda tf, c: c(lambda x: x, tf.TensorSpec([2]))(np.ones(2)),
        raises("InvalidArgumentError", lambda tf, c: c(lambda x: x, tf.TensorSpec([2]))(tf.ones(2, tf.int32))),
        raises(TypeError, lambda c, s: c(lambda x: x, s)()),
        raises(TypeError, lambda c, s: c(lambda x: x, s)("a")),
        raises(TypeError, lambda tf, c, s: c(lambda x: x, s)(tf.ones([]), tf.ones([]))),
        raises(TypeError, lambda tf, c, s: c(lambda x: x, s)(tf.ones([]), y=1)),
        lambda c: c(lambda x: x, 1.0)(),
        lambda tf, c, s: c(lambda d: d["a"] + d["b"][0], {"a": s, "b": [s]})({"a": tf.ones([]), "b": [tf.ones([])]}),
        raises(TypeError, lambda tf, c, s: c(lambda d: d["a"], {"a": s})({"b": tf.ones([])})),
        raises(TypeError, lambda tf, c: c(lambda x: x, tf.Variable(1.0))(1.0)),
        raises(TypeError, lambda tf, c, s: c(lambda v, x: v * x, tf.Variable(1.0), s)(tf.constant(2.0))),
        raises(TypeError, lambda c: c(lambda x: x)),
        raises(TypeError, lambda c: c(lambda x: x, 1, 2)),
        lambda tf, c: repr(c(lambda x, y: x, tf.TensorSpec([2]), 3.0).structured_input_signature),
        lambda c, s: repr(c(lambda d: d["a"], {"a": s, "b": [s, None]}).structured_input_signature),
        lambda c, s, keyword: repr(c(keyword, s, k=s).structured_input_signature),
        lambda c, s, keyword: str(c(keyword, s, k=s)),
        lambda c: str(c(lambda x: None, 1)),
        lambda c, s: str(c(lambda x, *a: {"y": x}, s, 2, [s])),
        lambda c, s: repr(c(lambda x: (x, 1), s).output_dtypes),
        lambda c, s: repr(c(lambda x: (x, 1), s).output_shapes),
        lambda c, s: [o.shape for o in c(lambda x: (x, 1), s).outputs],
        raises(TypeError, lambda tf, f: f([2]).get_concrete_function(tf.TensorSpec([3]))),
        lambda f: f([2]).get_concrete_function()([1.0, 2.0]),
        raises(TypeError, lambda tf: tf.function(lambda a: 1)({1, 2})),
        raises(ValueError, lambda tf: tf.function(lambda x: x)(tf.TensorSpec([2]))),
        lambda tf: tf.function(None)(abs)(-1.0),
    ],
    c=_c,
    f=_f,
    s=_s,
    keyword=lambda tf: _keyword,
)


@raises(TypeError)
def methods_of_each_kind(tf):
    class Thing:
        def __init__(self):
            self.k = 2.0
            self.made = tf.function(self.plain, input_signature=[tf.TensorSpec([None])])

        def plain(self, x):
            return x * self.k

        @tf.function
        def method(self, x):
            return x * self.k

        @tf.function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([])])
        def specified(self, x, y=1.0):
            return x * self.k + y

        @classmethod
        @tf.function
        def of_class(cls, x):
            return x * 3.0

        @staticmethod
        @tf.function
        def static(x):
            return x * 4.0

        @property
        @tf.function
        def value(self):
            return tf.constant(5.0) * self.k

        @tf.function
        def __call__(self, x):
            return x * 6.0

    thing, x = Thing(), tf.constant(1.0)
    return (
        thing.method(x),
        Thing.method(thing, x),
        thing.of_class(x),
        Thing.static(x),
        thing.value(),
        thing(x),
        thing.made([1.0, 2.0]),
        thing.specified([1.0, 2.0], 3.0),
        thing.specified(x=[3.0], y=1),
        Thing().method(x),
        tf.function(thing.plain)(x),
        thing.specified.get_concrete_function()(tf.ones(3), x),
    )


def two_instances(tf):
    class Scale:
        def __init__(self, k):
            self.k = k

        @tf.function
        def f(self, x):
            return x * self.k

    one, other = Scale(2.0), Scale(3.0)
    counts = one.f(1.0), other.f(1.0), one.f(tf.constant(1.0)), one.f.experimental_get_tracing_count()
    return counts, other.f.experimental_get_tracing_count()


def attributes_of_the_function(tf):
    def named(x, y=2):
        """A text."""
        return x

    named.extra = 5
    f = tf.function(named)
    f.mine = 3
    return (
        f.__name__,
        f.__doc__,
        f.__wrapped__ is named,
        f.python_function is named,
        f.input_signature,
        f.extra,
        f.mine,
        tf.function(lambda x: x).__name__,
    )


@raises(TypeError)
def generators_and_coroutines(tf):
    @tf.function
    def items(x):
        yield x
        yield x + 1.0

    return list(items(tf.constant(1.0)))


def eager_functions_toggled(tf):
    seen = []
    f, x = tf.function(lambda x: seen.append(1) or x), tf.constant(1.0)
    f(x), f(x)
    tf.config.run_functions_eagerly(True)
    try:
        f(x), f(x)
    finally:
        tf.config.run_functions_eagerly(False)
    return f(x), len(seen), f.experimental_get_tracing_count()


@raises(ValueError)
def compiler_ir_of_another_stage(tf):
    return tf.function(lambda x: x * 2, jit_compile=True).experimental_get_compiler_ir(tf.ones(2))(stage="other")


test_same_as_tensorflow = harness.test_functions(globals())


def test_shapes_inside_are_known_where_the_signature_leaves_them_open():
    seen = []
    f = tapejax.function(lambda x: seen.append(x.shape.as_list()) or x, input_signature=[tapejax.TensorSpec([None, 3])])
    f(np.ones([2, 3])), f(np.ones([4, 3])), f(np.zeros([2, 3]))
    assert seen == [[2, 3], [4, 3]] and f.experimental_get_tracing_count() == 2


def test_a_concrete_function_has_no_graph_but_text():
    f = tapejax.function(lambda x: x * 2.0, jit_compile=True)
    concrete = f.get_concrete_function(tapejax.TensorSpec([2]))
    with pytest.raises(AttributeError, match="to_jax"):
        concrete.graph.as_graph_def()
    ir = f.experimental_get_compiler_ir(tapejax.ones(2))
    assert "multiply" in ir() and "stablehlo.multiply" in ir(stage="stablehlo") and "HloModule" in ir("optimized_hlo")
