"""Convolutions of `tf.nn`: signatures and checks. The computation is in `kernels.cpu.conv`."""

from typing import Any

import jax.numpy as jnp

from tapejax._src.core.checks import final, invalid, invalid_value, kind, need_text
from tapejax._src.core.public import public
from tapejax._src.kernels.cpu.conv import convolve, depthwise
from tapejax._src.kernels.windows import channels_last, flat_batch, per_axis, spatial_first, spatial_last, window
from tapejax._src.ops.registry import Same, op

__all__ = ["atrous_conv2d", "conv1d", "conv2d", "conv3d", "convolution", "depthwise_conv2d", "separable_conv2d"]

_NAMES = {1: "Conv2D", 2: "Conv2D", 3: "Conv3D"}  # TensorFlow's kernels, by the number of spatial axes


def check_filter(x: Any, w: Any, n: int, where: str) -> None:
    """Checks the input and the filter of a convolution, as TensorFlow's kernels do.

    Args:
      x: the input, a JAX array.
      w: the filter, a JAX array.
      n: the number of spatial axes.
      where: the op's name in TensorFlow, for the message.

    Raises:
      InvalidArgumentError: a rank or dtype is not allowed, or the filter has no elements.
    """
    for what, t, least in (("input", x, n + 2), ("filter", w, n + 2)):
        if t.ndim < least or (what == "filter" and t.ndim != least):
            raise invalid(f"convolution {what} must be {least}-dimensional: {list(t.shape)}", where)
    if kind(x.dtype) != "f" and (x.dtype.name != "int32" or n == 3):
        raise invalid(
            f"Value for attr 'T' of {x.dtype.name} is not in the list of "
            f"allowed values: half, bfloat16, float, double [Op:{where}]"
        )
    if 0 in w.shape[:-1]:
        raise invalid_value(f"filter must not have zero elements (i.e. all dimensions must be non-zero) [Op:{where}]")


def _convolve(x: Any, w: Any, strides: Any, padding: Any, data_format: Any, dilations: Any, n: int) -> Any:
    where = _NAMES[n]
    last = channels_last(data_format, n, where)
    steps = per_axis(1 if strides is None else strides, n, last, "strides", where)
    rates = per_axis(1 if dilations is None else dilations, n, last, "dilations", where)
    check_filter(x, w, n, where)
    x, lead = flat_batch(x, n)
    x = spatial_last(x, last)
    win = window(x.shape[1:-1], w.shape[:n], steps, padding, rates, last, where)
    depth, features = w.shape[-2:]
    if x.shape[-1] % depth or not x.shape[-1]:
        raise invalid(f"input depth must be evenly divisible by filter depth: {x.shape[-1]} vs {depth}", where)
    if features % (x.shape[-1] // depth):
        raise invalid(
            "output depth must be evenly divisible by number of groups: "
            f"{features} vs {x.shape[-1] // depth} [Op:{where}]"
        )
    y = spatial_first(convolve(x, w, win), last)
    return y.reshape(*lead, *y.shape[1:])


@op("nn.conv2d")
def conv2d(input: Same, filters: Same, strides, padding, data_format="NHWC", dilations=None, name=None):
    """The convolution of images with filters. As in TensorFlow, the filters are not flipped, so it is a correlation.

    Args:
      input: float or int32 of shape [batch..., height, width, in], or [batch..., in, height, width] for "NCHW".
      filters: a tensor of shape [height, width, in / groups, out] and of the same dtype. If it has fewer input channels
        than `input`, the channels are convolved in groups.
      strides: the distance between neighbouring positions of the filter: an int, or a list of 1, 2 or 4 ints.
      padding: "SAME", "VALID", or a pair [before, after] for each of the four axes.
      data_format: "NHWC" or "NCHW". Both work on every device.
      dilations: the distance between neighbouring elements that the filter reads, in the forms of `strides`.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor with the dtype and layout of `input` and `out` channels.

    Raises:
      InvalidArgumentError: the shapes, the padding, the format or the dtype are not allowed.
      ValueError: a list has a wrong length.
      UnimplementedError: there are strides along the batch or the channels.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/conv2d

    >>> import tapejax as tf
    >>> conv2d(tf.ones([1, 3, 3, 1]), tf.ones([2, 2, 1, 1]), 1, "VALID").numpy().ravel().tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    return _convolve(input, filters, strides, padding, data_format, dilations, 2)


@op("nn.conv1d")
def conv1d(input: Same, filters: Same, stride, padding, data_format="NWC", dilations=None, name=None):
    """The convolution of sequences with filters.

    Args:
      input: float or int32 of shape [batch..., width, in], or [batch..., in, width] for "NCW".
      filters: a tensor of shape [width, in / groups, out] and of the same dtype.
      stride: an int, or a list of 1 or 3 ints.
      padding: "SAME" or "VALID".
      data_format: "NWC" or "NCW".
      dilations: an int, or a list of 1 or 3 ints.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [batch..., width, out], or [batch..., out, width] for "NCW".

    Raises:
      ValueError: the format is unknown.
      TypeError: `padding` is not a string. The other errors are those of `conv2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/conv1d

    >>> conv1d([[[1.0], [2.0], [3.0]]], [[[1.0]], [[1.0]]], 1, "VALID").numpy().ravel().tolist()
    [3.0, 5.0]
    """
    data_format = {"NHWC": "NWC", "NCHW": "NCW"}.get(data_format, data_format)
    if data_format not in (None, "NWC", "NCW"):
        raise final(ValueError(f"`data_format` must be 'NWC' or 'NCW'. Received: data_format={data_format}"))
    need_text(padding, "padding")
    return _convolve(input, filters, stride, padding, data_format, dilations, 1)


@op("nn.conv3d")
def conv3d(input: Same, filters: Same, strides, padding, data_format="NDHWC", dilations=None, name=None):
    """The convolution of volumes with filters.

    Args:
      input: floating numbers of shape [batch..., depth, height, width, in], or [batch..., in, depth, height, width] for
        "NCDHW".
      filters: a tensor of shape [depth, height, width, in / groups, out] and of the same dtype.
      strides: a list of five ints.
      padding: "SAME" or "VALID".
      data_format: "NDHWC" or "NCDHW".
      dilations: a list of five ints. They work on every device.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor with the dtype and layout of `input` and `out` channels.

    Raises:
      TypeError: `padding` is not a string, or `strides` is not a list. The other errors are those of `conv2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/conv3d

    >>> import tapejax as tf
    >>> conv3d(tf.ones([1, 2, 2, 2, 1]), tf.ones([2, 2, 2, 1, 1]), [1] * 5, "VALID").numpy().ravel().tolist()
    [8.0]
    """
    need_text(padding, "padding")
    for what, value in (("strides", strides), ("dilations", dilations)):
        if value is not None and not isinstance(value, tuple):
            raise final(TypeError(f"Expected list for '{what}' argument to 'conv3d' Op, not {value}."))
        if value is not None and len(value) != 5:
            raise invalid(f"Sliding window {what} field must specify 5 dimensions [Op:Conv3D]")
    return _convolve(input, filters, strides, padding, data_format, dilations, 3)


@op("nn.convolution")
def convolution(input: Same, filters: Same, strides=None, padding="VALID", data_format=None, dilations=None, name=None):
    """A convolution over one, two or three spatial axes, according to the rank of `filters`.

    Args:
      input: numbers of shape [batch..., *spatial, in], or [batch..., in, *spatial] for a format that begins with "NC".
      filters: a tensor of shape [*spatial, in / groups, out] and of the same dtype.
      strides: an int or a list of ints, by default 1.
      padding: "SAME" or "VALID".
      data_format: such as "NWC", "NCHW" or "NDHWC".
      dilations: an int or a list of ints, by default 1. They may be above 1 only if the strides are 1.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor with the dtype and layout of `input` and `out` channels.

    Raises:
      ValueError: `filters` does not have 3, 4 or 5 axes, or both strides and dilations are above 1. The other errors
        are those of `conv2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/convolution

    >>> convolution([[[1.0], [2.0], [3.0]]], [[[2.0]]]).numpy().ravel().tolist()
    [2.0, 4.0, 6.0]
    """
    n = filters.ndim - 2
    if n not in _NAMES:
        raise final(
            ValueError(
                "`num_spatial_dims` must be 1, 2, or 3, so `filters` of rank 3, 4 or 5. Received: "
                f"filters of shape {filters.shape}"
            )
        )
    need_text(padding, "padding")
    strides, dilations = _numbers(strides), _numbers(dilations)
    if max(strides) > 1 and max(dilations) > 1:
        raise final(
            ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
                f"strides={list(strides)} and dilation_rate={list(dilations)}"
            )
        )
    return _convolve(input, filters, strides, padding, data_format, dilations, n)


def _numbers(value: Any) -> tuple:
    return (1,) if value is None else value if isinstance(value, tuple) else (value,)


@op("nn.atrous_conv2d")
def atrous_conv2d(value: Same, filters: Same, rate, padding, name=None):
    """The convolution of images with dilated filters, without strides.

    Args:
      value: float or int32 of shape [batch..., height, width, in].
      filters: a tensor of shape [height, width, in / groups, out] and of the same dtype.
      rate: the dilation along both axes, an int.
      padding: "SAME" or "VALID".
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `rate` is below 1. The other errors are those of `conv2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/atrous_conv2d

    >>> import tapejax as tf
    >>> atrous_conv2d(tf.ones([1, 5, 5, 1]), tf.ones([2, 2, 1, 1]), 3, "VALID").shape
    TensorShape([1, 2, 2, 1])
    """
    if not isinstance(rate, int) or rate < 1:
        raise final(ValueError(f"all values of `dilation_rate` must be positive. Received: rate={rate}"))
    need_text(padding, "padding")
    return _convolve(value, filters, 1, padding, "NHWC", rate, 2)


def depthwise_window(x: Any, size: Any, strides: Any, padding: Any, dilations: Any, last: bool, where: str) -> Any:
    """The `Window` of a depthwise convolution. Its strides must be a list of four ints, equal for height and width."""
    if not isinstance(strides, tuple):
        raise final(TypeError(f"Expected list for 'strides' argument to 'depthwise_conv2d_native' Op, not {strides}."))
    if len(strides) != 4:
        raise invalid("Sliding window strides field must specify 4 dimensions", where)
    steps = per_axis(strides, 2, last, "strides", where)
    if dilations is not None and not isinstance(dilations, tuple):
        raise final(TypeError(f"`dilations` must be a list of ints. Received: dilations={dilations}"))
    rates = per_axis(1 if dilations is None else dilations, 2, last, "dilations", where)
    if steps[0] != steps[1]:
        raise invalid_value(
            f"Current implementation only supports equal length strides in the row and column dimensions. [Op:{where}]"
        )
    if max(steps) > 1 and max(rates) > 1:
        raise final(
            ValueError(
                "`strides > 1` not supported in conjunction with `dilations > 1`. Received: "
                f"strides={list(steps)} and dilations={list(rates)}"
            )
        )
    return window(x.shape[1:-1], size, steps, padding, rates, last, where)


def _depthwise(x: Any, w: Any, strides: Any, padding: Any, data_format: Any, dilations: Any) -> Any:
    where = "DepthwiseConv2dNative"
    last = channels_last(data_format, 2, where)
    check_filter(x, w, 2, where)
    if x.ndim != 4 or kind(x.dtype) != "f":
        raise invalid(f"input must be 4-dimensional and floating: {list(x.shape)} {x.dtype.name}", where)
    x = spatial_last(x, last)
    if x.shape[-1] != w.shape[2]:
        raise invalid(f"input and filter must have the same depth: {x.shape[-1]} vs {w.shape[2]}", where)
    win = depthwise_window(x, w.shape[:2], strides, padding, dilations, last, where)
    return spatial_first(depthwise(x, w, win), last)


@op("nn.depthwise_conv2d")
def depthwise_conv2d(input: Same, filter: Same, strides, padding, data_format=None, dilations=None, name=None):
    """The convolution of each channel of images with filters of its own.

    Args:
      input: floating numbers of shape [batch, height, width, channels], or [batch, channels, height, width] for "NCHW".
      filter: a tensor of shape [height, width, channels, multiplier] and of the same dtype.
      strides: a list of four ints, equal for height and width.
      padding: "SAME", "VALID", or a pair [before, after] for each of the four axes.
      data_format: "NHWC" (the default) or "NCHW".
      dilations: a list of two ints. They may be above 1 only if the strides are 1.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor with ``channels * multiplier`` channels.

    Raises:
      InvalidArgumentError: the shapes, strides or dtypes do not fit.
      ValueError: both strides and dilations are above 1.
      TypeError: `strides` or `dilations` is not a list.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/depthwise_conv2d

    >>> import tapejax as tf
    >>> depthwise_conv2d(tf.ones([1, 2, 2, 1]), tf.ones([2, 2, 1, 2]), [1] * 4, "VALID").numpy().ravel().tolist()
    [4.0, 4.0]
    """
    return _depthwise(input, filter, strides, padding, data_format, dilations)


@public("nn.separable_conv2d")
def separable_conv2d(
    input, depthwise_filter, pointwise_filter, strides, padding, data_format=None, dilations=None, name=None
):
    """A depthwise convolution of images, followed by a convolution with a 1x1 filter.

    Args:
      input: floating numbers of shape [batch, height, width, channels], or [batch, channels, height, width] for "NCHW".
      depthwise_filter: a tensor of shape [height, width, channels, multiplier].
      pointwise_filter: a tensor of shape [1, 1, channels * multiplier, out].
      strides: the argument of `depthwise_conv2d`, as the next three.
      padding: "SAME", "VALID" or pairs.
      data_format: "NHWC" (the default) or "NCHW".
      dilations: a list of two ints.
      name: has no effect, as in eager TensorFlow.

    Raises:
      ValueError: `pointwise_filter` has another shape. The other errors are those of `depthwise_conv2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/separable_conv2d

    >>> import tapejax as tf
    >>> separable_conv2d(tf.ones([1, 2, 2, 1]), tf.ones([2, 2, 1, 2]), tf.ones([1, 1, 2, 3]), [1] * 4, "VALID").shape
    TensorShape([1, 1, 1, 3])
    """
    shape = jnp.shape(pointwise_filter) if not hasattr(pointwise_filter, "shape") else tuple(pointwise_filter.shape)
    if len(shape) != 4 or shape[:2] != (1, 1):
        raise ValueError(f"`pointwise_filter` must have shape [1, 1, in, out]. Received: {shape}")
    between = depthwise_conv2d(input, depthwise_filter, strides, padding, data_format, dilations)
    return conv2d(between, pointwise_filter, 1, "VALID", data_format or "NHWC")
