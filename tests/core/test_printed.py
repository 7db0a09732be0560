"""The text of tensors: str, repr, `tf.print` and `tf.strings.format`, compared with real TensorFlow's."""

import collections
import functools
import itertools
import tempfile

import numpy as np
import pytest

import tapejax

Pair = collections.namedtuple("Pair", "x y")

_ARRAYS = {
    "float scalar": 0.1,
    "third": 1 / 3,
    "doubles": np.array([1 / 3, 1e16, -0.0, 0.1]),
    "large": np.array([1e10, 123456789.0, 1e6, 999999.5, 1e-8, 1e-4], np.float32),
    "nonfinite": np.array([np.nan, np.inf, -np.inf], np.float32),
    "halves": np.array([0.1, 100.0], np.float16),
    "double scalar": np.float64(2.5),
    "int": 3,
    "bytes": np.array([1, 200], np.uint8),
    "int8 scalar": np.int8(-3),
    "bool": True,
    "bools": [[True, False]],
    "matrix": [[1, 20], [300, 4]],
    "cube": np.arange(24).reshape(2, 3, 4),
    "row": np.arange(7),
    "large matrix": np.arange(100, dtype=np.int32).reshape(10, 10),
    "large cube": np.arange(7 * 8 * 9, dtype=np.int32).reshape(7, 8, 9),
    "long": np.arange(2000, dtype=np.int32),
    "empty": np.zeros(0, np.float32),
    "no rows": np.zeros((0, 3), np.float32),
    "no columns": np.zeros((2, 0), np.float32),
    "no columns of three": np.zeros((2, 0, 3), np.float32),
    "text": "a'b\"c\\",
    "texts": [["a", "bc"], ["\n\x01\t", "é"]],
    "floats": [[1.5, -0.25], [1e-3, 2.0]],
    "ones": [[[1.0]]],
}


@pytest.mark.parametrize("name", _ARRAYS)
def test_str_and_repr(name, tf):
    def shown(module):
        x = module.constant(_ARRAYS[name])
        v = module.Variable(x)
        # A repr ends in NumPy's dtype; everything that Python shows goes through the one or the other.
        return [str(x), repr(x), str(v), repr(v), str([x]), f"{x}"]

    assert shown(tapejax) == shown(tf)


def test_bfloat16_and_complex_numbers(tf):
    def shown(module):
        values = [module.constant([0.1], module.bfloat16), module.constant(1 + 2j), module.constant([1j])]
        return [f(x) for x in [*values, values[0][0]] for f in (str, repr)]

    assert shown(tapejax) == shown(tf)


def test_composites(tf):
    def shown(module):
        sparse = module.sparse.from_dense([[0, 1.5], [2, 0]])
        ragged = module.ragged.constant([[1.5], [], [2, 3]])
        slices = module.IndexedSlices(module.constant([[1.0, 2.0]]), module.constant([0]))
        sized = module.IndexedSlices(module.constant([[1.0, 2.0]]), module.constant([0]), module.constant([2, 2]))
        return [str(sparse), repr(sparse), str(ragged), repr(ragged), str(slices), str(sized)]

    assert shown(tapejax) == shown(tf)


def printed(module, *values, **how):
    return logged(lambda show: show(*values, **how), module)


def logged(program, module):
    """What a program prints by the function that it is given. TensorFlow's text goes past `sys.stdout`, to files."""
    with tempfile.TemporaryDirectory() as folder:
        program(functools.partial(module.print, output_stream=f"file://{folder}/log"))
        with open(f"{folder}/log") as file:
            return file.read()


@pytest.mark.parametrize("summarize", [3, -1, 0, 1, 2, 10])
@pytest.mark.parametrize("name", [n for n in _ARRAYS if n != "long"])
def test_print_of_arrays(name, summarize, tf):
    mine, real = (printed(m, m.constant(_ARRAYS[name]), summarize=summarize) for m in (tapejax, tf))
    assert mine == real


def _structures(module):
    x, y, s = module.constant([1 / 3, 2.0]), module.constant(1), module.constant("t")
    ragged = module.ragged.constant([[1.5], [], [2, 1 / 3]])
    return {
        "list": [x, 2],
        "tuple": (x,),
        "nested": [1, [y, (s,)], []],
        "dict": {"b": x, "a": [y, "q"]},
        "ordered": collections.OrderedDict(b=x, a=2),
        "named": Pair(y, [2]),
        "wide": [module.constant([1, 2, 3])] * 12,
        "wide dict": {"a": list(range(50)), "b": module.constant(["x"])},
        "strings": ["a'b", 'q"', s],
        "braces": [["{}"], y],
        "text with braces": "{} and {}",
        "variable": {"v": module.Variable([1.5])},
        "dtype": module.float32,
        "shape": module.TensorShape([1, None]),
        "none": [None, True, 1 / 3, b"x"],
        "set": {1},
        "array": np.array([1.0, 2.0]),
        "ragged": ragged,
        "ragged in list": [ragged, 1],
        "ragged of bools": module.ragged.constant([[True], [False, True]]),
        "ragged of strings": module.ragged.constant([["a"], ["b", "c"]]),
        "ragged twice": module.ragged.constant([[[1], [2]], []]),
        "ragged long": module.ragged.constant([list(range(10)), [1]] * 5),
        "ragged of rows": module.RaggedTensor.from_row_splits([[1, 2], [3, 4]], [0, 1, 2]),
        "sparse": module.sparse.from_dense([[0, 1.5], [2, 0]]),
        "sparse in list": [module.sparse.from_dense([[0, 1.5], [2, 0]]), 2],
        "sparse of strings": module.sparse.from_dense(["", "a"]),
        "sparse empty": module.sparse.from_dense([[0], [0]]),
    }


@pytest.mark.parametrize("name", _structures(tapejax))
def test_print_of_structures(name, tf):
    for more, summarize in itertools.product([(), ("x", 3)], [3, 1, -1]):
        mine, real = (printed(m, _structures(m)[name], *more, summarize=summarize) for m in (tapejax, tf))
        assert mine == real


def test_print_of_several_values(tf):
    for how in ({}, {"sep": "|"}, {"end": "!"}, {"sep": "", "end": ""}):
        mine, real = (
            printed(m, "a", m.constant("b"), m.constant([1]), m.constant(True), None, **how) for m in (tapejax, tf)
        )
        assert mine == real
    assert printed(tapejax) == printed(tf)


def test_print_in_a_function(tf):
    def shown(module):
        def program(show):
            @module.function
            def shows(x, r):
                show(x, {"k": [x, 1]}, r, sep=";")
                show(module.SparseTensor([[0, 1]], [x[0]], [1, 2]))
                show(module.constant("t"))
                show("t", module.constant("t"))
                return x

            shows(module.constant([1 / 3, 2.0]), module.ragged.constant([[1.0], [2, 3]])).numpy()

        return logged(program, module)

    assert shown(tapejax) == shown(tf)


def test_ragged_print_refuses_no_elements(tf):
    for module in (tapejax, tf):
        with pytest.raises(ValueError, match="Expected summarize to be -1 or a positive int"):
            printed(module, module.ragged.constant([[1]]), summarize=0)


def test_complex_numbers_are_printed():
    # TensorFlow prints a question mark for each complex number; see docs/differences.md.
    assert printed(tapejax, tapejax.constant([1 + 2j, 0.5])) == "[(1+2j) (0.5+0j)]\n"


def test_format_is_the_same_text(tf):
    for value, summarize in itertools.product(["doubles", "large matrix", "texts", "bools", "halves"], [3, 1, -1]):
        mine, real = (
            m.strings.format("x {}", m.constant(_ARRAYS[value]), summarize=summarize).numpy() for m in (tapejax, tf)
        )
        assert mine == real
