"""Name scopes against real TensorFlow: names of variables, and of operations in the compiled program."""

from support.harness import check, raises

import tapejax


def scopes_and_variables(tf):
    names = []
    with tf.name_scope("a") as scope:
        names += [scope, tf.Variable(1.0, name="w").name, tf.Variable(1.0).name]
        for inner in ("b", "c/", ""):
            with tf.name_scope(inner) as scope:
                names += [scope, tf.Variable(1.0, name="w").name]
    return names


def modules(tf):
    class Layer(tf.Module):
        @tf.Module.with_name_scope
        def __call__(self, x):
            self.w = tf.Variable(x, name="w")
            return self.w

    layer = Layer(name="layer")
    with tf.name_scope("outer"):
        inner = Layer(name="inner")
    layer(1.0), inner(1.0)
    with layer.name_scope:
        v = tf.Variable(1.0, name="v")
    return layer.w.name, inner.w.name, v.name, layer.name_scope.name


def inside_a_function(tf):
    names = []

    @tf.function
    def f(x):
        with tf.name_scope("inner") as scope:
            names.append(scope)
            return x + 1.0

    with tf.name_scope("outer"):
        f(tf.constant(1.0))
    return names


@raises(ValueError)
def no_string(tf):
    return tf.name_scope(3)


def test_as_tensorflow(tf):
    for scenario in (scopes_and_variables, modules, inside_a_function, no_string):
        check(tf, scenario)


def test_scopes_reach_the_compiled_program():
    @tapejax.function
    def f(x):
        with tapejax.name_scope("encoder"):
            return tapejax.tanh(x)

    f(tapejax.ones([3, 1, 7, 1]))  # a shape of its own: a scope is that of who recorded an op first
    (concrete,) = f._concretes()
    assert "encoder" in str(concrete.jaxpr().pretty_print(name_stack=True))
