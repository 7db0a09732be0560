"""Transposed convolutions of `tf.nn`, and the gradients of depthwise convolutions as ops.

A transposed convolution is the transpose, in the sense of linear algebra, of the convolution that maps its output to
its input. JAX derives it from that convolution.
"""

from typing import Any

import jax
import jax.numpy as jnp

from tapejax._src.core.checks import final, invalid, invalid_value
from tapejax._src.kernels.cpu.conv import depthwise, transposed
from tapejax._src.kernels.windows import channels_last, per_axis, spatial_first, spatial_last, window
from tapejax._src.ops.nn.conv import check_filter, depthwise_window
from tapejax._src.ops.registry import Same, Shape, op

__all__ = [
    "atrous_conv2d_transpose", "conv1d_transpose", "conv2d_transpose", "conv3d_transpose", "conv_transpose",
    "depthwise_conv2d_backprop_filter", "depthwise_conv2d_backprop_input",
]  # fmt: skip


def _transpose(
    x: Any, w: Any, output_shape: Any, strides: Any, padding: Any, data_format: Any, dilations: Any, n: int
) -> Any:
    where = f"Conv{max(n, 2)}DBackpropInput"
    last = channels_last(data_format, n, where)
    steps = per_axis(1 if strides is None else strides, n, last, "strides", where)
    rates = per_axis(1 if dilations is None else dilations, n, last, "dilations", where)
    check_filter(x, w, n, where)
    if x.ndim != n + 2:
        raise invalid(f"input must be {n + 2}-dimensional, got: {x.ndim}", where)
    x = spatial_last(x, last)
    shape = tuple(output_shape)
    if len(shape) == n:
        shape = (x.shape[0], *shape, w.shape[-2])
    elif len(shape) == n + 2:
        shape = shape if last else (shape[0], *shape[2:], shape[1])
    else:
        raise invalid(f"input_sizes must have {n} or {n + 2} elements, got: {list(shape)}", where)
    if min(shape, default=0) < 0:
        raise invalid_value(f"Dimension {min(shape)} must be >= 0 [Op:{where}]")
    win = window(shape[1:-1], w.shape[:n], steps, padding, rates, last, where)
    wanted = {
        "batch": (shape[0], x.shape[0]),
        "depth of the output": (shape[-1], w.shape[-2]),
        "depth of the input": (x.shape[-1], w.shape[-1]),
        "sizes of the input": (win.output, x.shape[1:-1]),
    }
    for what, (computed, given) in wanted.items():
        if computed != given:
            error = invalid if what in ("batch", "depth of the input") else invalid_value
            raise error(f"{where}: {what} does not match: {computed} by `output_shape` or `filters`, {given} given")
    return spatial_first(transposed(x, w, win, shape), last)


@op("nn.conv2d_transpose")
def conv2d_transpose(
    input: Same,
    filters: Same,
    output_shape: Shape,
    strides,
    padding="SAME",
    data_format="NHWC",
    dilations=None,
    name=None,
):
    """The transpose of `conv2d`. It maps small images to larger ones; the convolution goes the opposite way.

    Args:
      input: floating numbers of shape [batch, height, width, in], or [batch, in, height, width] for "NCHW".
      filters: a tensor of shape [height, width, out, in] and of the same dtype.
      output_shape: the shape of the result, four ints; or its height and width, two ints.
      strides: the strides of the convolution: an int, or a list of 1, 2 or 4 ints.
      padding: the padding of the convolution: "SAME", "VALID", or a pair [before, after] for each of the four axes.
      data_format: "NHWC" or "NCHW". Both work on every device.
      dilations: the dilations of the convolution, in the forms of `strides`. They work on every device.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape `output_shape`.

    Raises:
      InvalidArgumentError: the convolution would not map `output_shape` to the shape of `input`. The other errors are
        those of `conv2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/conv2d_transpose

    >>> import tapejax as tf
    >>> conv2d_transpose(tf.ones([1, 1, 1, 1]), tf.ones([2, 2, 1, 1]), [1, 2, 2, 1], 2).numpy().ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return _transpose(input, filters, output_shape, strides, padding, data_format, dilations, 2)


@op("nn.conv1d_transpose")
def conv1d_transpose(
    input: Same,
    filters: Same,
    output_shape: Shape,
    strides,
    padding="SAME",
    data_format="NWC",
    dilations=None,
    name=None,
):
    """The transpose of `conv1d`: `input` has shape [batch, width, in] and `filters` has shape [width, out, in].

    Takes the arguments of `conv2d_transpose` and raises the same errors. The formats are "NWC" and "NCW".

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/conv1d_transpose

    >>> conv1d_transpose([[[1.0], [2.0]]], [[[1.0]], [[3.0]]], [1, 4, 1], 2).numpy().ravel().tolist()
    [1.0, 3.0, 2.0, 6.0]
    """
    return _transpose(input, filters, output_shape, strides, padding, data_format, dilations, 1)


@op("nn.conv3d_transpose")
def conv3d_transpose(
    input: Same,
    filters: Same,
    output_shape: Shape,
    strides,
    padding="SAME",
    data_format="NDHWC",
    dilations=None,
    name=None,
):
    """The transpose of `conv3d`: `input` has 3 spatial axes and `filters` has shape [depth, height, width, out, in].

    Takes the arguments of `conv2d_transpose` and raises the same errors. The formats are "NDHWC" and "NCDHW".

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/conv3d_transpose

    >>> import tapejax as tf
    >>> conv3d_transpose(tf.ones([1, 1, 1, 1, 2]), tf.ones([2, 2, 2, 1, 2]), [1, 2, 2, 2, 1], 2).numpy().max().item()
    2.0
    """
    return _transpose(input, filters, output_shape, strides, padding, data_format, dilations, 3)


@op("nn.conv_transpose")
def conv_transpose(
    input: Same,
    filters: Same,
    output_shape: Shape,
    strides,
    padding="SAME",
    data_format=None,
    dilations=None,
    name=None,
):
    """Calls `conv1d_transpose`, `conv2d_transpose` or `conv3d_transpose`, according to the length of `output_shape`.

    Takes the arguments of `conv2d_transpose`.

    Raises:
      ValueError: `output_shape` does not have 3, 4 or 5 elements.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/conv_transpose

    >>> conv_transpose([[[1.0]]], [[[1.0]], [[3.0]]], [1, 2, 1], 2).numpy().ravel().tolist()
    [1.0, 3.0]
    """
    n = len(output_shape) - 2
    if n not in (1, 2, 3):
        raise final(
            ValueError(
                "`output_shape` must be of length 3, 4, or 5. Received: "
                f"output_shape={list(output_shape)} of length {n + 2}."
            )
        )
    return _transpose(input, filters, output_shape, strides, padding, data_format, dilations, n)


@op("nn.atrous_conv2d_transpose")
def atrous_conv2d_transpose(value: Same, filters: Same, output_shape: Shape, rate, padding, name=None):
    """The transpose of `atrous_conv2d`.

    Args:
      value: floating numbers of shape [batch, height, width, in].
      filters: a tensor of shape [height, width, out, in] and of the same dtype.
      output_shape: the shape of the result, four ints.
      rate: the dilation along both axes, an int.
      padding: "SAME" or "VALID".
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `rate` is below 1. The other errors are those of `conv2d_transpose`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/atrous_conv2d_transpose

    >>> import tapejax as tf
    >>> atrous_conv2d_transpose(tf.ones([1, 1, 1, 1]), tf.ones([2, 2, 1, 1]), [1, 3, 3, 1], 2, "VALID").shape
    TensorShape([1, 3, 3, 1])
    """
    if not isinstance(rate, int) or rate < 1:
        raise final(ValueError(f"`rate` cannot be less than one. Received: rate={rate}"))
    return _transpose(value, filters, output_shape, 1, padding, "NHWC", rate, 2)


@op("nn.depthwise_conv2d_backprop_input")
def depthwise_conv2d_backprop_input(
    input_sizes: Shape,
    filter: Same,
    out_backprop: Same,
    strides,
    padding,
    data_format="NHWC",
    dilations=(1, 1, 1, 1),
    name=None,
):
    """The gradient of `depthwise_conv2d` with respect to its input.

    Args:
      input_sizes: the shape of the input.
      filter: the filter of the convolution.
      out_backprop: the gradient with respect to the convolution's result.
      strides: the argument of the convolution, as the next three.
      padding: "SAME", "VALID" or pairs.
      data_format: "NHWC" or "NCHW".
      dilations: a list of ints.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape `input_sizes`.

    Raises:
      InvalidArgumentError: the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/depthwise_conv2d_backprop_input

    >>> import tapejax as tf
    >>> up = tf.ones([1, 1, 1, 1])
    >>> depthwise_conv2d_backprop_input([1, 2, 2, 1], tf.ones([2, 2, 1, 1]), up, [1] * 4, "VALID").numpy().sum().item()
    4.0
    """
    x = jnp.zeros(input_sizes, filter.dtype)
    return _depthwise_pull(x, filter, out_backprop, strides, padding, data_format, dilations)[0]


@op("nn.depthwise_conv2d_backprop_filter")
def depthwise_conv2d_backprop_filter(
    input: Same,
    filter_sizes: Shape,
    out_backprop: Same,
    strides,
    padding,
    data_format="NHWC",
    dilations=(1, 1, 1, 1),
    name=None,
):
    """The gradient of `depthwise_conv2d` with respect to its filter.

    Args:
      input: the input of the convolution.
      filter_sizes: the shape of the filter.
      out_backprop: the gradient with respect to the convolution's result.
      strides: the argument of the convolution, as the next three.
      padding: "SAME", "VALID" or pairs.
      data_format: "NHWC" or "NCHW".
      dilations: a list of ints.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape `filter_sizes`.

    Raises:
      InvalidArgumentError: the shapes do not fit.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/depthwise_conv2d_backprop_filter

    >>> import tapejax as tf
    >>> x, up = tf.ones([1, 3, 3, 1]), tf.ones([1, 2, 2, 1])
    >>> depthwise_conv2d_backprop_filter(x, [2, 2, 1, 1], up, [1] * 4, "VALID").numpy().ravel().tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    w = jnp.zeros(filter_sizes, input.dtype)
    return _depthwise_pull(input, w, out_backprop, strides, padding, data_format, dilations)[1]


def _depthwise_pull(x: Any, w: Any, upstream: Any, strides: Any, padding: Any, data_format: Any, dilations: Any) -> Any:
    where = "DepthwiseConv2dNativeBackprop"
    last = channels_last(data_format, 2, where)
    check_filter(x, w, 2, where)
    x, upstream = spatial_last(x, last), spatial_last(upstream, last)
    win = depthwise_window(x, w.shape[:2], strides, padding, dilations, last, where)
    if upstream.shape != (x.shape[0], *win.output, w.shape[2] * w.shape[3]) or x.shape[-1] != w.shape[2]:
        raise invalid(
            f"{where}: `out_backprop` of shape {list(upstream.shape)} does not "
            f"fit an input {list(x.shape)} and a filter {list(w.shape)}"
        )
    by_x, by_w = jax.vjp(lambda x, w: depthwise(x, w, win), x, w)[1](upstream)
    return spatial_first(by_x, last), by_w
