"""AutoGraph: many small functions that mix statements, expressions and scopes, against TensorFlow. Each is one idea."""

from typing import Any

import pytest
from support.compare import Raised
from support.harness import raises
from support.statements import Cases

import tapejax

case = Cases()


@case(3)
def chained_comparison(tf, n):
    if 1 < n <= 3 != 4:
        return n
    return -n


@case(3, True)
def logic_of_tensors_and_python(tf, n, flag):
    if flag and n > 2 or not flag:
        n += 1
    return n


@case(3)
def logic_returns_values(tf, n):
    return None or n, [] and n, 0 or 5


@case(3)
def equality(tf, n):
    if n == 3 and n != 4:
        return 1
    return 0


@case(3)
def identity_and_none(tf, n):
    m = None
    if m is None:
        m = n
    if m is not None:
        m = m + 1
    return m


@case([1, 2, 3])
def membership_in_a_list(tf, t):
    return 2 in [1, 2], "a" in {"a": 1}


@case(3)
def f_string_of_python_values(tf, n):
    name = f"{n.dtype.name}-{n.shape}"
    if name == "int32-()":
        n = n + 1
    return n


@case(3)
def slices_and_steps(tf, n):
    t = tf.range(10)
    if n > 2:
        r = t[1:4]
    else:
        r = t[2:5]
    return r, t[::-2][:n]


@case(2)
def comprehension_with_condition(tf, n):
    return [n * i for i in range(4) if i % 2], {i: n for i in range(2)}


@case(2)
def generator_expression(tf, n):
    return sum(n * i for i in range(4))


@case(3)
def augmented_assignments(tf, n):
    n += 1
    n *= 3
    n -= 2
    n //= 2
    if n > 3:
        n %= 3
    return n


@case(3)
def star_arguments(tf, n):
    def f(a, *rest, scale=1, **more):
        if a > 2:
            return a * scale + len(rest) + more["k"]
        return a

    return f(*[n, 1, 2], **{"scale": 2, "k": 5})


@case(3)
def starred_assignment(tf, n):
    first, *rest = [n, n + 1, n + 2]
    return first, tf.add_n(rest)


@case(3)
def functions_made_in_a_python_loop(tf, n):
    fns = [lambda v, k=k: v * k for k in range(3)]
    return [f(n) for f in fns]


@case(3)
def class_made_inside(tf, n):
    class Box:
        size = 2

        def __init__(self, v):
            self.v = v

        def grown(self):
            if self.v > 1:
                return self.v * self.size
            return self.v

    return Box(n).grown()


@case(3)
def attribute_set_in_a_branch(tf, n):
    class Box:
        v = 0

    box = Box()
    box.v = n
    if n > 2:
        box.v = n * 2
    return box.v


@case(3)
def recursion_on_python(tf, n):
    def power(x, k):
        return 1 if k == 0 else x * power(x, k - 1)

    return power(n, 3)


@case(3)
def global_read(tf, n):
    return n if case is not None else -n


@case(3)
def lambda_with_condition(tf, n):
    return (lambda v: v if v > 2 else -v)(n)


@case(3)
def default_that_is_a_tensor(tf, n):
    def f(v, w=n):
        if v > w:
            return v
        return w

    return f(1), f(5)


@case(3)
def try_except_around_python(tf, n):
    try:
        v = {}["missing"]
    except KeyError:
        v = n + 1
    finally:
        n = n * 2
    return v, n


@case(3)
def try_else(tf, n):
    try:
        v = n
    except ValueError:
        v = -n
    else:
        v = v + 1
    return v


@case(3)
def shape_error_caught(tf, n):
    try:
        return tf.ones([2]) + tf.ones([3])
    except ValueError:
        return n


@case(3)
@raises(ValueError)
def with_and_return(tf, n):
    with tf.name_scope("scope"):
        if n > 2:
            return n
    return -n


@case(3)
@raises(AssertionError)
def assert_on_python(tf, n):
    assert n.dtype == tf.int32
    assert len([n]) == 2, "two expected"
    return n


@case(3)
def del_of_names(tf, n):
    d = {"a": n, "b": n + 1}
    del d["a"]
    m = n * 2
    del n
    return d, m


@case(3)
@raises(TypeError)
def raise_in_a_branch_on_python(tf, n):
    if n.dtype != tf.float32:
        raise TypeError("floats only")
    return n


@case(3)
def print_of_tensors(tf, n):
    print("traced", end="")
    if n > 2:
        n = n + 1
    return n


@case(3)
def generator_function(tf, n):
    def items():
        for i in range(3):
            yield n * i

    return [v for v in items()]


@case(3)
def pass_and_docstring(tf, n):
    """Nothing but a text."""
    if n > 2:
        pass
    else:
        pass
    return n


@case(3)
def unreachable_after_return(tf, n):
    if n > 2:
        return n
    else:
        return -n
    return 0


@case(3)
def nothing_returned(tf, n):
    if n > 2:
        n = n + 1


@case(3)
@raises(ValueError)
def none_from_both_branches(tf, n):
    if n > 2:
        return None
    else:
        return None


@case(3)
@raises(TypeError)
def one_branch_returns_a_tuple(tf, n):
    if n > 2:
        return n, n
    return n


@case(3)
def string_set_in_a_branch(tf, n):
    if n > 2:
        name = "a"
    else:
        name = "b"
    return name


test_like_tensorflow = case.test()

# What TensorFlow refuses, and what it gives here.

refused = Cases()


@refused(3)
def walrus(tf, n):
    if (m := n * 2) > 5:
        m += 1
    return m


@refused(3)
def conditional_expressions_nested(tf, n):
    return 1 if n > 5 else 2 if n > 2 else 3


@refused(2)
def comprehension_over_tensor(tf, n):
    return [i for i in tf.range(3)]


@refused(3)
def closure_with_nonlocal(tf, n):
    total = n

    def add(v):
        nonlocal total
        total = total + v

    add(1)
    if n > 2:
        add(10)
    return total


@refused(3)
def nonlocal_in_a_loop(tf, n):
    total = 0

    def add(v):
        nonlocal total
        total += v

    for i in tf.range(n):
        add(i)
    return total


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("walrus", 7),
        ("conditional_expressions_nested", 2),
        ("comprehension_over_tensor", ["list", 0, 1, 2]),
        ("closure_with_nonlocal", Raised("TypeError")),
        ("nonlocal_in_a_loop", Raised("TypeError")),
    ],
)
def test_where_tensorflow_refuses(tf: Any, name: str, result: Any) -> None:
    assert isinstance(refused.outcome(tf, name), Raised)
    assert refused.outcome(tapejax, name) == result
