"""Gradients that are asked for inside a captured body, of a tape that was opened outside, as TensorFlow gives them."""

from support.harness import test_functions


def _open(tf, persistent=True):
    tape = tf.GradientTape(persistent=persistent)
    x = tf.constant(3.0)
    return tape, x


def while_loop_of_ops_in_its_body(tf):
    @tf.function(autograph=False)
    def f(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x

            def body(i, s):
                return i + 1, s + tape.gradient(y * s + tf.sin(x), x)

            return tf.while_loop(lambda i, s: i < 3, body, [tf.constant(0), tf.constant(1.0)])[1]

    return f(tf.constant(1.5))


def while_loop_after_the_tape(tf):
    tape, x = _open(tf)
    with tape:
        tape.watch(x)
        y = x**3
    return tf.while_loop(
        lambda i, s: i < 3, lambda i, s: (i + 1, s + tape.gradient(y, x)), [tf.constant(0), tf.constant(1.0)]
    )[1]


def cond_of_ops_in_its_branches(tf):
    @tf.function(autograph=False)
    def f(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x
            return tf.cond(x > 0.0, lambda: tape.gradient(y * x, x), lambda: x)

    return f(tf.constant(3.0)), f(tf.constant(-3.0))


def cond_in_a_cond(tf):
    @tf.function(autograph=False)
    def f(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x

            def outer():
                z = y * x

                def inner():
                    return tape.gradient(z * x, x)

                return tf.cond(x > 1.0, inner, lambda: tape.gradient(z, x))

            return tf.cond(x > 0.0, outer, lambda: x)

    return f(tf.constant(3.0)), f(tf.constant(0.5)), f(tf.constant(-3.0))


def autograph_if(tf):
    @tf.function
    def f(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x
            if x > 1.0:
                g = tape.gradient(y * x, x)
            else:
                g = tape.gradient(tf.exp(y), x)
        return g

    return f(tf.constant(3.0)), f(tf.constant(0.5))


def autograph_for(tf):
    @tf.function
    def f(x):
        total = tf.zeros([])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x
            for i in tf.range(3):
                total += tape.gradient(y * tf.cast(i, tf.float32), x)
        return total

    return f(tf.constant(3.0))


def autograph_while(tf):
    @tf.function
    def f(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x
            total = tf.constant(1.0)
            while total < 100.0:
                total = total + tape.gradient(y * total, x)
        return total

    return f(tf.constant(3.0))


def map_fn(tf):
    @tf.function
    def f(x, rows):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x
            return tf.map_fn(lambda a: tape.gradient(y * a, x), rows)

    return f(tf.constant(3.0), tf.constant([1.0, 2.0]))


def vectorized_map(tf):
    tape, x = _open(tf)
    with tape:
        tape.watch(x)
        y = x * x
        inside = tf.vectorized_map(lambda a: tape.gradient(y * a, x), tf.constant([1.0, 2.0]))
    after = tf.vectorized_map(lambda a: tape.gradient(y, x, output_gradients=a), tf.constant([1.0, 2.0]))
    return inside, after


def scan(tf):
    @tf.function
    def f(x, rows):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            return tf.scan(lambda s, a: s + tape.gradient(x * x * a, x), rows, tf.constant(0.0))

    return f(tf.constant(3.0), tf.constant([1.0, 2.0]))


def tf_function_called_under_the_tape(tf):
    tape, x = _open(tf)

    @tf.function
    def inner(z):
        return tape.gradient(y * z, x)

    with tape:
        tape.watch(x)
        y = x * x
        return inner(tf.constant(2.0))


def variables_read_in_the_body(tf):
    v = tf.Variable(2.0)
    w = tf.Variable(5.0)

    @tf.function(autograph=False)
    def f():
        with tf.GradientTape(persistent=True) as tape:
            y = v * v
            return tf.cond(v > 0.0, lambda: tape.gradient(y * v * w, [v, w]), lambda: [v + 0.0, w + 0.0])

    return f()


def unwatched_variables_have_none(tf):
    v = tf.Variable(2.0)
    w = tf.Variable(5.0)
    found = []

    @tf.function(autograph=False)
    def f():
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(v)

            def branch():
                found.extend(tape.gradient(v * w, [v, w]))
                return found[0]

            return tf.cond(tf.constant(True) & (v > 0.0), branch, lambda: v + 0.0)

    return f(), found[1]


def recording_stopped_in_the_body(tf):
    found = []

    @tf.function(autograph=False)
    def f(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x

            def branch():
                with tape.stop_recording():
                    z = y * 3.0
                found.append(tape.gradient(z, x))
                return tape.gradient(y * z, x)

            return tf.cond(x > 0.0, branch, lambda: x)

    return f(tf.constant(3.0)), found[0]


def what_the_tape_saw_stays_after_the_body(tf):
    @tf.function(autograph=False)
    def f(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x
            inner = tf.cond(x > 0.0, lambda: tape.gradient(y * x, x) * x, lambda: x)
            z = inner * y
        return inner, tape.gradient(z, y), tape.gradient(y, x)

    return f(tf.constant(3.0))


def jacobian_in_a_branch(tf):
    @tf.function(autograph=False)
    def f(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x
            return tf.cond(x[0] > 0.0, lambda: tape.jacobian(y * x, x), lambda: tf.zeros([2, 2]))

    return f(tf.constant([3.0, 2.0]))


test_same_as_tensorflow = test_functions(globals())
