"""Sorting, searching, counting and segments against real TensorFlow: value, dtype, shape, exception class."""

import numpy as np
from support import expressions, parity
from support.parity import Case, f32

import tapejax

nan = float("nan")
ROWS = [
    # sort
    "tf.sort([3., -1., 2., -np.inf, np.inf, 2.])",
    "tf.sort([3., -1., 2.], direction='DESCENDING')",
    "tf.sort([3., nan, 1.], direction='DESCENDING').shape",
    "tf.sort([[3, 1], [2, 0]], axis=0)",
    "tf.sort(tf.constant([[2, 1], [7, 250]], tf.uint8))",
    "tf.sort(tf.constant([5, -2**31, 2**31 - 1]))",
    "tf.sort(tf.zeros([0]))",
    "tf.sort([True, False])",
    "tf.sort(1.)",
    "tf.sort([1.], axis=2)",
    "tf.sort([1.], direction='x')",
    "tf.sort([1j])",
    "tf.sort(b, axis=1, direction='DESCENDING').shape",
    "tf.argsort([2, 1, 2, 1], stable=True)",
    "tf.argsort([2, 1, 2, 1], direction='DESCENDING')",
    "tf.argsort([[3., 1.], [2., 0.]], axis=0)",
    "tf.argsort([3., nan, 1., nan], direction='DESCENDING').dtype == tf.int32",
    # top_k
    "tf.math.top_k([1., 3., 3., 2.], 2)",
    "tf.nn.top_k(x, 2).indices",
    "tf.math.top_k([1., nan, 3., 2.], 2)",
    "tf.math.top_k([1., 2.], 3)",
    "tf.math.top_k(1.)",
    "tf.math.top_k([1., 2.], -1)",
    "tf.math.top_k([1., 2.], tf.constant(1))",
    "tf.math.top_k([3, 1, 2], 2, index_type=tf.int64)",
    "tf.math.top_k([True, False], 1)",
    "tf.math.top_k([1., 2.], 0)",
    "tf.math.top_k(tf.constant([1, 200], tf.uint8))",
    "tf.math.in_top_k([1, 2], [[.1, .8, .3], [.1, .1, .1]], 1)",
    "tf.nn.in_top_k([5], [[.1, .8]], 1)",
    "tf.math.in_top_k([0], [[nan, .8]], 1)",
    "tf.math.in_top_k([0], [[np.inf, .8]], 3)",
    "tf.math.in_top_k([0], [[.5, np.inf]], 3)",
    "tf.math.in_top_k([0, 1], [[.5, 1.]], 3)",
    "tf.math.in_top_k([0], [.5, 1.], 3)",
    # searching
    "tf.searchsorted([1., 2., 2., 3.], [2., 0., 5.])",
    "tf.searchsorted([1., 2., 2., 3.], [2., 0., 5.], side='right')",
    "tf.searchsorted([[1., 2.], [3., 4.]], [[2.], [3.5]])",
    "tf.searchsorted([1, 2], [1.])",
    "tf.searchsorted([1., 2.], 1.)",
    "tf.searchsorted([1., 2.], [nan])",
    "tf.searchsorted([1., 2.], [nan], side='right')",
    "tf.searchsorted([1., 2.], [1.], side='x')",
    "tf.searchsorted([1, 2], [1], out_type=tf.int64)",
    "tf.searchsorted([[1., 2.], [3., 4.]], [2.])",
    "tf.searchsorted([], [2.])",
    "tf.searchsorted(tf.zeros([2, 3]), tf.zeros([1, 2, 2]))",
    # unique and permutations
    "tf.unique([3, 1, 3, 2])",
    "tf.unique([[1]])",
    "tf.unique(['b', 'a', 'b'])",
    "tf.unique([nan, nan])",
    "tf.unique([1.], out_idx=tf.int64)",
    "tf.unique([])",
    "tf.unique_with_counts([3, 1, 3], tf.int64)",
    "tf.unique([True, False, True])",
    "tf.unravel_index([5, 1], [2, 3])",
    "tf.unravel_index(7, [2, 3])",
    "tf.unravel_index(3, [2, 3])",
    "tf.unravel_index(tf.constant([3], tf.int64), tf.constant([2, 3], tf.int64))",
    "tf.math.invert_permutation([2, 0, 1])",
    "tf.math.invert_permutation([2, 0, 0])",
    "tf.math.invert_permutation([5, 0])",
    "tf.math.invert_permutation([[1]])",
    "tf.math.is_non_decreasing([1, 1, 2])",
    "tf.math.is_strictly_increasing([[1, 2], [2, 3]])",
    "tf.math.is_strictly_increasing([])",
    # counting
    "tf.math.bincount([1, 1, 3])",
    "tf.math.bincount([1, 1, 3], minlength=6)",
    "tf.math.bincount([1, 1, 3], maxlength=2)",
    "tf.math.bincount([1, 1], weights=[.5, 2.])",
    "tf.math.bincount([[1, 1], [0, 2]], axis=-1)",
    "tf.math.bincount([[1, 1], [0, 2]])",
    "tf.math.bincount([-1])",
    "tf.math.bincount([1.])",
    "tf.math.bincount([1, 1], dtype=tf.float32)",
    "tf.math.bincount([1, 1], binary_output=True)",
    "tf.math.bincount(tf.constant([1, 1], tf.int64))",
    "tf.math.bincount([], minlength=2)",
    "tf.math.bincount([[1, 1], [0, 2]], weights=[[1, 2], [3, 4]], axis=-1)",
    "tf.math.bincount([[1, 1], [0, 2]], axis=-1, binary_output=True)",
    "tf.math.bincount([1, 2], weights=[1.])",
    "tf.math.bincount([1, 2], weights=[1., 1.], binary_output=True)",
    "tf.math.bincount([1, 2], axis=1)",
    "tf.histogram_fixed_width([-1., 0., 1.5, 2., 5., 15.], [0., 5.], nbins=5)",
    "tf.histogram_fixed_width_bins([-1., 0., 1.5, 2., 5., 15.], [0., 5.], nbins=5)",
    "tf.histogram_fixed_width([1.], [5., 0.])",
    "tf.histogram_fixed_width([1.], [0., 5.], nbins=0)",
    "tf.histogram_fixed_width_bins([1], [0, 5], nbins=3)",
    "tf.histogram_fixed_width([nan], [0., 5.], nbins=3)",
    "tf.histogram_fixed_width([1.], [0., 5.], nbins=3, dtype=tf.int64)",
    "tf.histogram_fixed_width([1.], [0., 5., 6.], nbins=3)",
    "tf.math.confusion_matrix([1, 2], [1, 0])",
    "tf.math.confusion_matrix([1, 2], [1, 0], num_classes=2)",
    "tf.math.confusion_matrix([1, 2], [1, 0], weights=[.5, 2.], dtype=tf.float32)",
    "tf.math.confusion_matrix([1, 2], [1, 0], weights=[.5, 2.])",
    "tf.math.confusion_matrix([-1], [1])",
    "tf.math.confusion_matrix([[1], [2]], [1, 0])",
    "tf.math.confusion_matrix([1, 2], [1])",
    # segments
    *(
        f"tf.math.segment_{how}([{v}], [0, 0, 2])"
        for how in ("sum", "mean", "max", "min", "prod")
        for v in ("1., 2., 3.", "1, 2, 3", "[1., 2.], [3., 4.], [-5., -6.]")
    ),
    "tf.math.segment_sum([1., 2., 3.], [0, 2, 1])",
    "tf.math.segment_sum([1., 2., 3.], [0, 1])",
    "tf.math.segment_sum([1.], [-1])",
    "tf.math.segment_sum([1.], [[0]])",
    "tf.math.segment_sum([], tf.constant([], tf.int32))",
    "tf.math.segment_sum(1., 0)",
    "tf.math.segment_sum([1.], [0.])",
    "tf.math.segment_max([1j, 1.], [0, 0])",
    "tf.math.segment_mean([-1, -2], [0, 0])",
    "tf.math.segment_max([-np.inf], [0])",
    "tf.math.segment_sum([[1., 2.], [3., 4.]], tf.constant([0, 1], tf.int64))",
    *(
        f"tf.math.unsorted_segment_{how}([{v}], [2, 0, 2], 4)"
        for how in ("sum", "mean", "max", "min", "prod", "sqrt_n")
        for v in ("1., 2., 3.", "1, 2, 3", "[1., 2.], [3., 4.], [-5., -6.]")
    ),
    "tf.math.unsorted_segment_max([-np.inf], [0], 1)",
    "tf.math.unsorted_segment_sum([1., 2.], [-1, 0], 2)",
    "tf.math.unsorted_segment_sum([1., 2.], [5, 0], 2)",
    "tf.math.unsorted_segment_sum([[1., 2.], [3., 4.]], [[0, 1], [1, 0]], 2)",
    "tf.math.unsorted_segment_sum([[1., 2.], [3., 4.]], [0], 2)",
    "tf.math.unsorted_segment_sum([1.], [0], -1)",
    "tf.math.unsorted_segment_sum([1.], [0], tf.constant(2))",
    "tf.math.unsorted_segment_sum([1.], [0.], 2)",
    "tf.math.unsorted_segment_mean([[1., 2.], [3., 4.]], [[0, 1], [1, 0]], 2)",
    "tf.math.unsorted_segment_sum([True], [0], 1)",
    "tf.math.unsorted_segment_sum([], tf.constant([], tf.int32), 2)",
    "tf.math.unsorted_segment_sum(1., 0, 2)",
    # gradients, ties included
    "g(lambda a: tf.sort(a) * [1., 2., 3.], [2., 1., 2.])",
    "g(lambda a: tf.sort(a, direction='DESCENDING') * [1., 2., 3.], [2., 1., 2.])",
    "g(lambda a: tf.math.top_k(a, 2).values * [1., 2.], [2., 1., 2.])",
    "g(lambda a: tf.cast(tf.argsort(a), tf.float32), [2., 1.])",
    *(
        f"g(lambda a: tf.math.segment_{how}(a, [0, 0, 2]) * [2., 3., 4.], [{v}])"
        for how in ("sum", "mean", "max", "min", "prod")
        for v in ("2., 2., 3.", "0., 2., 3.")
    ),
    *(
        f"g(lambda a: tf.math.unsorted_segment_{how}(a, [0, 0, {last}], 2) * [2., 3.], [{v}])"
        for how in ("sum", "mean", "max", "min", "prod", "sqrt_n")
        for last in (1, -1)
        for v in ("2., 2., 3.", "0., 2., 3.", "0., 0., 3.")
    ),
    "tf.tensor_scatter_nd_max([1., 2.], [[0], [1]], [5., 1.])",
    "tf.tensor_scatter_nd_min([1, 2], [[0], [1]], [5, 1])",
    "tf.tensor_scatter_nd_min([1, 2], [[2]], [5])",
    "g(lambda a, u: tf.tensor_scatter_nd_max(a, [[0], [1]], u), [1., 2.], [1., 3.])",
    "g(lambda a, u: tf.tensor_scatter_nd_min(a, [[0], [1]], u), [1., 2.], [1., 3.])",
    "g(lambda a, u: tf.tensor_scatter_nd_max(a, [[0], [0]], u), [1., 2.], [3., 3.])",
]

test_as_tensorflow = expressions.test_of(ROWS, nan=nan)


def test_nan_is_sorted_last():
    assert np.isnan(tapejax.sort([3.0, nan, 1.0]).numpy()[2])
    assert tapejax.argsort([3.0, nan, 1.0], direction="DESCENDING").numpy().tolist() == [1, 0, 2]


def case(name, call):
    return Case(name, call, [f32([1.5, -2.0], [0.5, 3.0], [2.0, 1.0])], rtol=1e-5)


CASES = [
    *(
        case(how, lambda tf, x, how=how: getattr(tf.math, f"segment_{how}")(x * x, [0, 0, 1]))
        for how in ("sum", "mean", "max", "min", "prod")
    ),
    *(
        case(f"unsorted {how}", lambda tf, x, how=how: getattr(tf.math, f"unsorted_segment_{how}")(x * x, [1, 0, 1], 3))
        for how in ("sum", "mean", "max", "min", "prod", "sqrt_n")
    ),
    case("sort", lambda tf, x: tf.sort(x * x, axis=0)),
    case("sort down", lambda tf, x: tf.sort(x * x, direction="DESCENDING")),
    case("top_k", lambda tf, x: tf.math.top_k(x * x, 1).values),
    case("scatter max", lambda tf, x: tf.tensor_scatter_nd_max(x * x, [[1]], x[:1])),
    case("scatter min", lambda tf, x: tf.tensor_scatter_nd_min(x * x, [[1]], x[:1])),
]
test_derivatives = parity.test_of(CASES)
