"""AutoGraph: conditions and logic on tensors inside `tf.function`, against real TensorFlow."""

from support.harness import raises
from support.statements import Cases

case = Cases()


@case(3.0)
def if_else(tf, x):
    if x > 0:
        y = x * 2
    else:
        y = -x
    return y


@case(-3.0)
def if_alone(tf, x):
    y = x
    if x > 0:
        y = x * 2
    return y


@case(3.0)
def early_return(tf, x):
    if x > 0:
        return x * 2
    return -x


@case(3.0)
def elif_return(tf, x):
    if x < 0:
        return -1.0
    elif x > 2:
        return 2.0
    else:
        return 0.0


@case(3.0)
@raises(ValueError)
def undefined_in_one_branch(tf, x):
    if x > 0:
        y = x
    return y


@case(3.0)
@raises(ValueError)
def return_in_one_branch(tf, x):
    if x > 0:
        return x


@case(3.0)
@raises(ValueError)
def none_in_one_branch(tf, x):
    y = None
    if x > 0:
        y = x
    return y


@case(3.0)
@raises(ValueError)
def unused_none(tf, x):
    if x > 0:
        y = None
    else:
        y = None
    del y
    return x


@case(3.0)
@raises(TypeError)
def dtypes_of_branches(tf, x):
    if x > 0:
        y = 1
    else:
        y = 1.0
    return y


@case(3.0)
def numbers_of_branches(tf, x):
    if x > 0:
        n = 1
    else:
        n = 2
    return n


@case(3.0)
@raises(TypeError)
def structures_of_branches(tf, x):
    if x > 0:
        n = (x, x)
    else:
        n = x
    return n


@case(3.0)
@raises(TypeError)
def objects_of_branches(tf, x):
    if x > 0:
        n = object()
    else:
        n = object()
    return x if n is None else n


@case(3.0)
def structure(tf, x):
    if x > 0:
        n = {"a": x, "b": (x, 1)}
    else:
        n = {"a": -x, "b": (x * 2, 2)}
    return n["a"] + n["b"][0]


@case(3.0)
def item(tf, x):
    d = {"a": x}
    if x > 0:
        d["a"] = x * 2
    return d["a"]


@case([1.0, 2.0])
@raises(ValueError)
def vector_condition(tf, x):
    if x > 0:
        y = x
    else:
        y = -x
    return y


@case(3)
@raises(ValueError)
def integer_condition(tf, x):
    if x:
        y = x
    else:
        y = -x
    return y


@case(3.0)
def one_element_condition(tf, x):
    if tf.reshape(x, [1]) > 0:
        y = x
    else:
        y = -x
    return y


@case(3.0)
def python_condition(tf, x):
    if x.shape == ():
        return x
    return -x


@case(3.0)
def conditional_expression(tf, x):
    return x * 2 if x > 0 else -x


@case(3.0)
@raises(TypeError)
def dtypes_of_expression(tf, x):
    return 1 if x > 0 else 1.0


@case(3.0, 4.0)
def and_not(tf, x, y):
    if x > 1 and y > 1 and not x > y:
        return 1
    return 0


@case(3.0, 4.0)
def or_(tf, x, y):
    return x > 10 or y > 1


@case(3.0)
def chained(tf, x):
    return 1 < x < 5, 1 < x < 2


@case(3.0)
def mixed(tf, x):
    n = 1
    return n > 0 and x > 1, n > 2 or x > 5


test_like_tensorflow = case.test()
test_plain = case.test_plain("early_return", "integer_condition", "mixed")
