"""AutoGraph: `while` and `for` on tensors inside `tf.function`, against real TensorFlow."""

from support.harness import raises
from support.statements import Cases

case = Cases()


@case(0)
def while_(tf, i):
    while i < 10:
        i += 3
    return i


@case(3.0)
def while_python(tf, x):
    i = 0
    while i < 3:
        x = x * 2
        i += 1
    return x


@case(10)
def break_and_continue(tf, n):
    i = 0
    s = 0
    while i < n:
        i += 1
        if i % 2 == 0:
            continue
        if i > 7:
            break
        s += i
    return i, s


@case(5.0)
@raises(TypeError)
def while_dtype(tf, x):
    i = tf.constant(0)
    while x > 1:
        i = tf.cast(i, tf.float32) + 0.5
        x = x - 1
    return i


@case(5.0)
@raises(ValueError)
def while_shape(tf, x):
    y = tf.ones([1])
    while x > 1:
        y = tf.concat([y, y], 0)
        x = x - 1
    return tf.reduce_sum(y)


@case(5.0)
@raises(TypeError)
def while_structure(tf, x):
    y = x
    while x > 1:
        y = (x, x)
        x = x - 1
    return y


@case(5.0)
def while_defines(tf, x):
    while x > 1:
        y = x
        x = x - 1
    return y


@case(5.0)
def while_none(tf, x):
    y = None
    while x > 1:
        if y is None:
            y = x
        x = x - 1
    return y


@case(5.0)
@raises(NotImplementedError)
def while_returns(tf, x):
    while x > 1:
        if x < 3:
            return x
        x = x - 1
    return x * 100


@case(5)
def while_and(tf, n):
    i = 0
    while i < n and i < 3:
        i += 1
    return i


@case(5)
def while_true(tf, n):
    i = 0
    while True:
        i += 1
        if i > 5:
            break
    return i + n


@case(5)
@raises(NotImplementedError)
def while_true_until_tensor(tf, n):
    i = tf.constant(0)
    while True:
        i += 1
        if i > n:
            break
    return i


@case(1.0)
def while_with_options(tf, x):
    i = 0
    while x < 100.0:
        tf.autograph.experimental.set_loop_options(maximum_iterations=3, parallel_iterations=1)
        x = x * 2
        i += 1
    return x, i


@case([1.0, 2.0, 3.0])
def for_tensor(tf, t):
    s = 0.0
    for v in t:
        s += v
    return s


@case([1.0, 2.0, 3.0])
def for_break(tf, t):
    s = 0.0
    for v in t:
        if v > 2:
            break
        s += v
    return s


@case([1.0, 2.0, 3.0])
def for_continue(tf, t):
    s = 0.0
    for v in t:
        if v == 2.0:
            continue
        s += v
    return s


@case([1.0, 2.0, 3.0])
@raises(NotImplementedError)
def for_returns(tf, t):
    for v in t:
        if v > 1:
            return v
    return -1.0


@case([1.0, 2.0, 3.0])
def for_last(tf, t):
    for v in t:  # noqa: B007
        pass
    return v


@case(5)
def for_range(tf, n):
    s = 0
    for i in tf.range(n):
        s += i
    return s


@case(5)
def for_python_range(tf, n):
    s = 0
    for i in range(n):
        s += i
    return s


@case(10)
def for_range_step(tf, n):
    s = 0
    for i in tf.range(1, n, 3):
        s += i
    return s, i


@case(10)
def for_range_down(tf, n):
    s = 0
    for i in tf.range(n, 0, -4):
        s = s * 10 + i
    return s


@case(2.0)
def for_range_of_floats(tf, x):
    s = 0.0
    for i in tf.range(0.0, x, 0.5):
        s = s * 2 + i
    return s


@case(3.0)
def for_range_known(tf, x):
    for i in tf.range(4):
        x = x * 2 + tf.cast(i, tf.float32)
    return x


@case(3.0)
def for_range_break(tf, x):
    for i in tf.range(10):  # noqa: B007
        if x > 20:
            break
        x = x * 2
    return x, i


@case(4)
def range_as_a_tensor(tf, n):
    s = 0
    for i in tf.range(n):
        s += i
    return tf.reduce_sum(tf.range(n)), tf.range(n) * 2, s


@case(4)
def range_of_no_terms(tf, n):
    s = tf.constant(1)
    for i in tf.range(n, n):
        s += i
    for i in tf.range(0):
        s += i
    for v in tf.zeros([0], tf.int32):
        s += v
    return s


@case(4)
def range_enumerated(tf, n):
    s = 0
    for k, i in enumerate(range(4)):
        s += k * i * n
    return s


@case(3.0)
def for_list(tf, x):
    for i in [1, 2, 3]:
        if x > 5:
            x = x + i
        else:
            x = x * 2
    return x


@case(3.0)
@raises(NotImplementedError)
def for_list_break(tf, x):
    for _ in [1, 2, 3]:
        if x > 5:
            break
        x = x * 2
    return x


@case([[1.0, 2.0], [3.0, 4.0]])
def for_rows(tf, t):
    s = 0.0
    for row in t:
        for v in row:
            if v > 1:
                s += v
    return s


@case(3.0)
@raises(ValueError)
def for_scalar(tf, x):
    for _ in x:
        pass
    return x


@case(3.0)
def append(tf, x):
    found = []
    for i in range(3):
        found.append(x * i)
    return tf.stack(found)


@case([1.0, 2.0, 3.0])
def tensor_array(tf, t):
    ta = tf.TensorArray(tf.float32, size=3)
    i = 0
    for v in t:
        ta = ta.write(i, v * 2)
        i += 1
    return ta.stack()


@case(3)
def tensor_array_that_grows(tf, n):
    ta = tf.TensorArray(tf.int32, size=0, dynamic_size=True)
    for i in tf.range(n):
        ta = ta.write(i, i * 2)
    return ta.stack()


@case(3.0)
def loop_options(tf, x):
    for _ in tf.range(10):
        tf.autograph.experimental.set_loop_options(maximum_iterations=2)
        x = x * 2
    return x


test_like_tensorflow = case.test()
test_plain = case.test_plain("break_and_continue", "while_none", "while_shape", "for_rows", "for_list_break")
