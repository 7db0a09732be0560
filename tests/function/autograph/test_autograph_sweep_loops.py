"""AutoGraph: many small functions with loops, against real TensorFlow. Each is one idea."""

from support.harness import raises
from support.statements import Cases

case = Cases()


@case(3)
def for_else_on_python(tf, n):
    for i in [1, 2]:
        if i == 5:
            break
    else:
        n = n + 100
    return n


@case(4)
def nested_breaks(tf, n):
    s = 0
    for i in tf.range(n):
        for j in tf.range(n):
            if j > i:
                break
            if (i + j) % 2 == 0:
                continue
            s += i * 10 + j
        if s > 50:
            break
    return s


@case(5)
@raises(NotImplementedError)
def return_from_nested_loops(tf, n):
    for i in tf.range(n):
        for j in tf.range(n):
            if i * j == 6:
                return i * 100 + j
    return -1


@case(6)
def continue_in_while_in_for(tf, n):
    s = 0
    for i in tf.range(n):
        k = i
        while k > 0:
            k -= 1
            if k % 2 == 1:
                continue
            s += k
    return s


@case(7)
@raises(ValueError)
def while_with_two_exits(tf, n):
    i = 0
    while i < 100:
        i += 1
        if i * i > n:
            break
        if i > 50:
            return -1
    return i


@case(3)
def loop_in_a_branch(tf, n):
    if n > 2:
        s = 0
        for i in tf.range(n):
            s += i
    else:
        s = -1
    return s


@case(3)
@raises(NotImplementedError)
def branch_with_return_in_a_loop_and_after(tf, n):
    if n < 0:
        return -n
    for i in tf.range(n):
        if i == 1:
            return i + 40
    return n


@case(0)
def loop_without_turns(tf, n):
    last = -1
    for i in tf.range(n):
        last = i
    return last


@case(10)
def range_with_negative_step(tf, n):
    s = 0
    for i in tf.range(n, -1, -3):
        s = s * 3 + i
    return s


@case(5)
def python_range_of_tensors_with_step(tf, n):
    s = 0
    for i in range(1, n, 2):
        s += i
    return s


@case(5)
def while_not_and_or(tf, n):
    i = 0
    while not (i >= n or i == 3):
        i += 1
    return i


@case(5.0)
def loop_variable_of_another_dtype(tf, x):
    n = 0
    while x > 0.0:
        n = n + 1
        x = x - 1.0
    return n, x


@case(3)
@raises(ValueError)
def loop_shape_changes(tf, n):
    v = tf.zeros([1])
    for _ in tf.range(n):
        v = tf.concat([v, v], 0)
    return tf.shape(v)


@case(3)
def tuple_as_loop_state(tf, n):
    a, b = 0, 1
    for _ in tf.range(n):
        a, b = b, a + b
    return a, b


@case(3)
def dict_as_loop_state(tf, n):
    d = {"a": 0, "b": 1.0}
    for i in tf.range(n):
        d = {"a": d["a"] + i, "b": d["b"] * 2.0}
    return d


@case(3)
def dict_items_set_in_a_loop(tf, n):
    d = {"a": tf.constant(0)}
    for i in tf.range(n):
        d["a"] = d["a"] + i
    return d["a"]


@case(3)
def list_items_set_in_a_loop(tf, n):
    values = [tf.constant(1), tf.constant(2)]
    for _ in tf.range(n):
        values[0] = values[0] + values[1]
    return values[0]


@case(3)
def list_appended_in_a_python_loop(tf, n):
    values = []
    for i in range(3):
        if i == 1:
            continue
        values.append(n * i)
    return tf.stack(values)


@case(4)
def list_popped(tf, n):
    values = [n, n + 1, n + 2]
    last = values.pop()
    return last, len(values)


@case([1, 2, 3])
def list_built_from_rows(tf, t):
    return tf.stack([v * 2 for v in tf.unstack(t)])


@case([1, 2, 3], [10, 20, 30])
def zip_of_unstacked(tf, a, b):
    s = 0
    for x, y in zip(tf.unstack(a), tf.unstack(b)):  # noqa: B905
        if x > 1:
            s += x * y
    return s


@case([1, 2, 3])
def enumerate_of_unstacked(tf, a):
    s = 0
    for i, x in enumerate(tf.unstack(a)):
        if x > 1:
            s += x * i
    return s


@case([1, 2, 3])
def reversed_unstacked(tf, a):
    s = 0
    for x in reversed(tf.unstack(a)):
        s = s * 10 + x
    return s


@case([[1, 2], [3, 4]])
def rows_unpacked_by_hand(tf, t):
    s = 0
    for row in t:
        x, y = row[0], row[1]
        s += x * y
    return s


@case([1, 2, 3])
def builtin_functions(tf, t):
    parts = tf.unstack(t)
    return sum(parts), max(1, 2), any([True, False]), all([]), sorted([3, 1]), abs(-t)


@case([1.0, -2.0])
def map_and_filter_of_lists(tf, t):
    def keep(v):
        return v is not None

    return tf.stack(list(map(lambda v: v * 2.0, filter(keep, tf.unstack(t)))))


@case(4)
def tensor_array_in_while(tf, n):
    ta = tf.TensorArray(tf.int32, size=4)
    i = 0
    while i < n:
        ta = ta.write(i, i * i)
        i += 1
    return ta.stack()


@case(4)
def tensor_array_in_a_branch(tf, n):
    ta = tf.TensorArray(tf.int32, size=1, element_shape=[])
    if n > 2:
        ta = ta.write(0, n)
    else:
        ta = ta.write(0, -n)
    return ta.stack()


@case(4)
def tensor_array_read_in_a_loop(tf, n):
    ta = tf.TensorArray(tf.int32, size=4, clear_after_read=False).unstack(tf.range(4))
    s = 0
    for i in tf.range(n):
        s += ta.read(i) * ta.read(n - 1 - i)
    return s


test_like_tensorflow = case.test()
