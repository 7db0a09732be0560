"""What a `GradientTape` records, when and for how long: each function is run with real TensorFlow too.

Both must do the same.
"""

import pytest
from support.harness import check, raises, test_functions

import tapejax

# One scenario a function, its story in the name. `tf` is tapejax or TensorFlow.


def seed_example_1(tf):
    x, y = tf.Variable(3.0, name="x"), tf.Variable(2.0, name="y")
    with tf.GradientTape() as tape:
        z = x**2 + y * x - 3 * y
    return z, tape.gradient(z, [x, y])


@raises(RuntimeError)
def second_call_on_a_tape_that_is_not_persistent_raises(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    return tape.gradient(y, x)


def persistent_tape_answers_many_times(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        z = y * y
    return tape.gradient(z, x), tape.gradient(y, x), tape.gradient(z, y), tape.gradient(z, x)


def persistent_tape_entered_twice_goes_on(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
    with tape:
        z = y * x
    return tape.gradient(z, x), tape.gradient(y, x)


def tape_entered_twice_starts_anew(tf):
    x = tf.Variable(3.0)
    tape = tf.GradientTape()
    with tape:
        y = x * x
    with tape:
        z = x * x * x
    return tape.gradient([y, z], x)


@raises(ValueError)
def tape_entered_while_recording_raises(tf):
    with tf.GradientTape() as tape:
        with tape:
            pass


def constants_need_watch(tf):
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        tape.watch(x)
        z = x * x
        w = y * x
    return [tape.gradient(t, x) for t in (y, z, w)]


def watch_takes_lists_and_dicts(tf):
    x = {"a": tf.constant([1.0, 2.0]), "b": [tf.constant(3.0)]}
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(x["a"] * x["a"]) * x["b"][0]
    return tape.gradient(y, x)


@raises(ValueError)
def watch_of_a_number_raises(tf):
    with tf.GradientTape() as tape:
        tape.watch(3.0)


@raises(AttributeError)
def watch_before_the_tape_is_entered(tf):
    x = tf.constant(3.0)
    tape = tf.GradientTape()
    tape.watch(x)
    with tape:
        y = x * x
    return tape.gradient(y, x)


def watched_after_the_tape_is_closed_is_none(tf):
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        y = x * x
    tape.watch(x)
    return tape.gradient(y, x)


def watched_variables_after_and_before(tf):
    x = tf.Variable(3.0, name="x")
    fresh = tf.GradientTape()
    with tf.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    return [v.name for v in tape.watched_variables()], len(fresh.watched_variables())


def unwatched_variables_when_told_so(tf):
    x, y = tf.Variable(3.0), tf.Variable(2.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        z = x * y
    return tape.gradient(z, [x, y]), len(tape.watched_variables())


def values_read_and_variables_assigned_while_the_tape_records(tf):
    x, v = tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])
    found = []
    with tf.GradientTape(persistent=True) as tape:
        for i in range(10):  # tensors come and go: Python gives a new one the identity of an old one
            y = x + tf.constant([5.0, 6.0])
            float(tf.reduce_sum(y))
            v.assign([float(i), 1.0])
            found.append(tape.gradient(tf.reduce_sum(y * v), [x, v]))
    return found


def watched_between_two_uses(tf):
    m, v, c = tf.Variable(2.0, trainable=False), tf.Variable(3.0), tf.constant(5.0)
    with tf.GradientTape(persistent=True) as tape:
        a, d = m * v, c * v
        tape.watch([m, c])
        y = a + m * v + d + c * c
    return tape.gradient(y, [m, v, c]), tape.gradient(a, m), tape.gradient(d, c)


def watched_between_two_uses_of_which_one_was_read(tf):
    m, v = tf.Variable(2.0, trainable=False), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        a = m * v
        float(a)
        tape.watch(m)
        y = a + m * v
    return tape.gradient(y, [m, v])


def an_intermediate_result_watched_between_two_uses(tf):
    c = tf.constant(5.0)
    with tf.GradientTape(persistent=True) as tape:
        m = c * 2.0
        a = m * m
        tape.watch(m)
        y = a + m * 3.0
    return tape.gradient(y, m), tape.gradient(y, c)


def untrainable_variables_are_not_watched(tf):
    x = tf.Variable(3.0, trainable=False)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        tape.watch(x)
        z = x * x
    return tape.gradient(y, x), tape.gradient(z, x)


def second_derivative_by_nested_tapes(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x**3
        dy = inner.gradient(y, x)
    return dy, outer.gradient(dy, x)


def third_derivative_by_nested_tapes(tf):
    x = tf.constant([0.3, 1.2])
    with tf.GradientTape() as a:
        a.watch(x)
        with tf.GradientTape() as b:
            b.watch(x)
            with tf.GradientTape() as c:
                c.watch(x)
                y = tf.sin(x) * x
            d1 = c.gradient(y, x)
        d2 = b.gradient(d1, x)
    return d1, d2, a.gradient(d2, x)


def two_tapes_side_by_side(tf):
    x, y = tf.Variable(3.0), tf.Variable(2.0)
    with tf.GradientTape() as one, tf.GradientTape() as two:
        a = x * y
        b = x * x * y
    return one.gradient(a, [x, y]), two.gradient(b, [x, y])


def gradient_penalty(tf):
    w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    x = tf.constant([[0.5, -1.0]])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(tf.square(tf.matmul(x, w)))
        g = inner.gradient(y, x)
        penalty = tf.reduce_sum(tf.square(g))
    return g, penalty, outer.gradient(penalty, w)


def gradient_inside_its_own_persistent_context_is_recorded(tf):
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x**3
        dy = tape.gradient(y, x)
    return dy, tape.gradient(dy, x)


def gradient_inside_its_own_context_ends_the_recording(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
        dy = tape.gradient(y, x)
        z = dy * x
    return dy, z


def stop_recording_leaves_a_gap(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
        with tape.stop_recording():
            gap = x * 100.0
        z = y + x + gap
    return tape.gradient(z, x)


def stop_recording_then_gradient_of_a_persistent_tape(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        with tape.stop_recording():
            dy = tape.gradient(y, x)
        z = y * dy
    return dy, tape.gradient(z, x)


@raises(RuntimeError)
def stop_recording_outside_the_tape_raises(tf):
    tape = tf.GradientTape()
    with tape.stop_recording():
        pass


def reset_forgets(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
        tape.reset()
        z = x * 5.0
        w = y + z
    return tape.gradient([w], [x])


def reset_forgets_what_was_watched(tf):
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        tape.reset()
        y = x * x
    return tape.gradient(y, x)


def watched_variables_come_in_order(tf):
    a, b, c = tf.Variable(1.0, name="a"), tf.Variable(2.0, name="b"), tf.Variable(3.0, trainable=False)
    with tf.GradientTape() as tape:
        d = b * a + b * c
    before = [v.name for v in tape.watched_variables()]
    tape.gradient(d, a)
    return before


def reading_a_value_in_the_middle_of_an_open_tape(tf):
    x, w = tf.Variable([1.0, 2.0]), tf.constant([0.5, -0.5])
    seen = []
    with tf.GradientTape() as tape:
        y = x * x
        seen.append(y.numpy())
        z = tf.sin(y) * w
        seen.append(float(tf.reduce_sum(z)))
        if seen[-1] < 100:
            z = z * x
    return seen, tape.gradient(z, x)


def reading_values_in_the_middle_of_nested_tapes(tf):
    x = tf.Variable(0.7)
    with tf.GradientTape() as outer:
        y = tf.exp(x)
        float(y)
        with tf.GradientTape() as inner:
            z = tf.sin(x) * x
            float(z)
            z = z * z
        dz = inner.gradient(z, x)
        float(dz)
        out = dz * y
    return out, outer.gradient(out, x)


def printing_between_tape_and_gradient(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x * x
    str(y)
    first = tape.gradient(y, x)
    str(first)
    return first, tape.gradient(y, x)


def an_exception_inside_the_tape_closes_it(tf):
    x = tf.Variable(3.0)
    try:
        with tf.GradientTape() as tape:
            y = x * x
            raise KeyError("user code")
    except KeyError:
        pass
    z = y * x
    return tape.gradient(y, x), z


def operations_after_the_tape_are_not_recorded(tf):
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
    z = y * 2.0
    return tape.gradient(z, x), tape.gradient(y, x)


def without_with_statement(tf):
    x = tf.Variable(3.0)
    tape = tf.GradientTape()
    tape.__enter__()
    y = x * x
    tape.__exit__(None, None, None)
    return tape.gradient(y, x)


@raises(RuntimeError)
def gradient_of_a_tape_never_entered(tf):
    return tf.GradientTape().gradient(tf.constant(1.0), tf.constant(1.0))


test_same_as_tensorflow = test_functions(globals(), ["recorded", "eager"])


@pytest.mark.parametrize(
    "scenario",
    [third_derivative_by_nested_tapes, gradient_penalty, gradient_inside_its_own_persistent_context_is_recorded],
    ids=lambda s: s.__name__,
)
def test_cached_backward_walks_give_the_same_again(scenario, tf):
    for _ in range(3):
        check(tf, scenario)


def test_seed_example_1_by_hand():
    z, (dx, dy) = seed_example_1(tapejax)
    assert (float(z), float(dx), float(dy)) == (9.0, 8.0, 0.0)


def test_second_gradient_call_says_what_to_do():
    with pytest.raises(RuntimeError, match="non-persistent"):
        second_call_on_a_tape_that_is_not_persistent_raises(tapejax)
