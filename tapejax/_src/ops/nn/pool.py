"""Pooling of `tf.nn`: signatures and checks. The computation is in `kernels.cpu.pool`."""

from collections import namedtuple
from typing import Any

import jax.numpy as jnp

from tapejax._src.core import dtypes
from tapejax._src.core.checks import final, invalid, invalid_value, need, need_text
from tapejax._src.core.public import public
from tapejax._src.kernels.cpu.pool import average, maximum, winner
from tapejax._src.kernels.windows import channels_last, per_axis, spatial_first, spatial_last, window
from tapejax._src.ops.registry import Array, DType, op

__all__ = [
    "avg_pool", "avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool", "max_pool1d", "max_pool2d", "max_pool3d",
    "max_pool_with_argmax", "pool",
]  # fmt: skip


def _checked(x: Any, ksize: Any, strides: Any, padding: Any, data_format: Any, n: int, where: str) -> tuple:
    """Checks the arguments of a pooling op.

    Returns:
      `x` with its channels in the last axis, the `Window`, and whether the channels were in the last axis before.
    """
    if x.ndim != n + 2:
        raise invalid(f"tensor_in must be {n + 2}-dimensional: {list(x.shape)}", where)
    last = channels_last(data_format, n, where)
    size = per_axis(ksize, n, last, "ksize", where)
    steps = per_axis(strides, n, last, "strides", where)
    if min(size) < 1:
        raise invalid_value(f"Sliding window ksize must be positive, got {list(size)} [Op:{where}]")
    x = spatial_last(x, last)
    win = window(x.shape[1:-1], size, steps, padding, (1,) * n, last, where)
    if not isinstance(padding, str) and any(max(p) >= k for p, k in zip(win.padding, size, strict=True)):
        raise invalid_value(f"Padding {win.padding} needs to be smaller than the window size {size} [Op:{where}]")
    return x, win, last


def _max_pool(x: Any, ksize: Any, strides: Any, padding: Any, data_format: Any, n: int) -> Any:
    where = "MaxPool3D" if n == 3 else "MaxPool"
    need("f" if n == 3 else "fiu", x)
    if n == 3:
        need_text(padding, "padding")
    x, win, last = _checked(x, ksize, strides, padding, data_format, n, where)
    return spatial_first(maximum(x, win), last)


def _avg_pool(x: Any, ksize: Any, strides: Any, padding: Any, data_format: Any, n: int) -> Any:
    where = "AvgPool3D" if n == 3 else "AvgPool"
    need("f", x)
    need_text(padding, "padding")
    x, win, last = _checked(x, ksize, strides, padding, data_format, n, where)
    return spatial_first(average(x, win), last)


def _spatial_axes(x: Any) -> int:
    if x.ndim not in (3, 4, 5):
        raise final(
            ValueError(f"`input.shape.rank` must be 3, 4 or 5. Received: input.shape={x.shape} of rank {x.ndim}.")
        )
    return x.ndim - 2


@op("nn.max_pool2d", flat=True)
def max_pool2d(input: Array, ksize, strides, padding, data_format="NHWC", name=None):
    """The maxima over windows of images. Of equal maxima, the first gets the gradient.

    Args:
      input: real numbers of shape [batch, height, width, channels], or [batch, channels, height, width] for "NCHW".
      ksize: the size of a window: an int, or a list of 1, 2 or 4 ints.
      strides: the distance between neighbouring windows, in the forms of `ksize`.
      padding: "SAME", "VALID", or a pair [before, after] for each of the four axes. Padded positions do not take part
        in the maximum.
      data_format: "NHWC" or "NCHW". Both work on every device.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor with the dtype and layout of `input`.

    Raises:
      InvalidArgumentError: the rank, dtype, window, padding or format is not allowed.
      ValueError: a list has a wrong length.
      UnimplementedError: the window extends along the batch or the channels.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/max_pool2d

    >>> max_pool2d([[[[1.0], [2.0]], [[4.0], [3.0]]]], 2, 2, "VALID").numpy().ravel().tolist()
    [4.0]
    """
    return _max_pool(input, ksize, strides, padding, data_format, 2)


@op("nn.max_pool1d", flat=True)
def max_pool1d(input: Array, ksize, strides, padding, data_format="NWC", name=None):
    """The maxima over windows of sequences, of shape [batch, width, channels] or [batch, channels, width] for "NCW".

    Takes the arguments of `max_pool2d` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/max_pool1d

    >>> max_pool1d([[[1.0], [3.0], [2.0]]], 2, 1, "VALID").numpy().ravel().tolist()
    [3.0, 3.0]
    """
    return _max_pool(input, ksize, strides, padding, data_format, 1)


@op("nn.max_pool3d", flat=True)
def max_pool3d(input: Array, ksize, strides, padding, data_format="NDHWC", name=None):
    """The maxima over windows of floating volumes, of shape [batch, depth, height, width, channels].

    Takes the arguments of `max_pool2d` and raises the same errors; `padding` is "SAME" or "VALID", and the formats are
    "NDHWC" and "NCDHW". On a CPU each of several equal maxima gets the whole gradient, as in TensorFlow.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/max_pool3d

    >>> import tapejax as tf
    >>> max_pool3d(tf.ones([1, 4, 4, 4, 2]), 2, 2, "VALID").shape
    TensorShape([1, 2, 2, 2, 2])
    """
    return _max_pool(input, ksize, strides, padding, data_format, 3)


@op("nn.max_pool", flat=True)
def max_pool(input: Array, ksize, strides, padding, data_format=None, name=None):
    """Calls `max_pool1d`, `max_pool2d` or `max_pool3d`, according to the rank of `input`.

    Takes the arguments of `max_pool2d`. The default of `data_format` has the channels last.

    Raises:
      ValueError: the rank is not 3, 4 or 5.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/max_pool

    >>> max_pool([[[1.0], [3.0], [2.0]]], 3, 3, "VALID").numpy().ravel().tolist()
    [3.0]
    """
    return _max_pool(input, ksize, strides, padding, data_format, _spatial_axes(input))


@op("nn.avg_pool2d")
def avg_pool2d(input: Array, ksize, strides, padding, data_format="NHWC", name=None):
    """The means over windows of images. Padded positions do not count.

    Args:
      input: floating numbers of shape [batch, height, width, channels], or [batch, channels, height, width] for "NCHW".
      ksize: the size of a window: an int, or a list of 1, 2 or 4 ints.
      strides: the distance between neighbouring windows, in the forms of `ksize`.
      padding: "SAME" or "VALID".
      data_format: "NHWC" or "NCHW". Both work on every device.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor with the dtype and layout of `input`. 16-bit numbers are summed in float32.

    Raises:
      TypeError: `padding` is not a string. The other errors are those of `max_pool2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/avg_pool2d

    >>> avg_pool2d([[[[1.0], [2.0]], [[4.0], [3.0]]]], 2, 2, "VALID").numpy().ravel().tolist()
    [2.5]
    """
    return _avg_pool(input, ksize, strides, padding, data_format, 2)


@op("nn.avg_pool1d")
def avg_pool1d(input: Array, ksize, strides, padding, data_format="NWC", name=None):
    """The means over windows of sequences, of shape [batch, width, channels] or [batch, channels, width] for "NCW".

    Takes the arguments of `avg_pool2d` and raises the same errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/avg_pool1d

    >>> avg_pool1d([[[1.0], [3.0], [2.0]]], 2, 1, "SAME").numpy().ravel().tolist()
    [2.0, 2.5, 2.0]
    """
    return _avg_pool(input, ksize, strides, padding, data_format, 1)


@op("nn.avg_pool3d")
def avg_pool3d(input: Array, ksize, strides, padding, data_format="NDHWC", name=None):
    """The means over windows of volumes, of shape [batch, depth, height, width, channels].

    Takes the arguments of `avg_pool2d` and raises the same errors. The formats are "NDHWC" and "NCDHW".

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/avg_pool3d

    >>> import tapejax as tf
    >>> avg_pool3d(tf.ones([1, 4, 4, 4, 2]), 2, 2, "VALID").shape
    TensorShape([1, 2, 2, 2, 2])
    """
    return _avg_pool(input, ksize, strides, padding, data_format, 3)


@op("nn.avg_pool")
def avg_pool(input: Array, ksize, strides, padding, data_format=None, name=None):
    """Calls `avg_pool1d`, `avg_pool2d` or `avg_pool3d`, according to the rank of `input`.

    Takes the arguments of `avg_pool2d`. The default of `data_format` has the channels last.

    Raises:
      ValueError: the rank is not 3, 4 or 5.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/avg_pool

    >>> avg_pool([[[1.0], [3.0], [2.0]]], 3, 3, "VALID").numpy().ravel().tolist()
    [2.0]
    """
    return _avg_pool(input, ksize, strides, padding, data_format, _spatial_axes(input))


@op("nn.pool")
def pool(
    input: Array, window_shape, pooling_type, strides=None, padding="VALID", data_format=None, dilations=None, name=None
):
    """Pooling over one, two or three spatial axes, with dilations.

    Args:
      input: numbers of shape [batch, *spatial, channels], or [batch, channels, *spatial] for a format that begins with
        "NC". They are floating for "AVG" and real for "MAX".
      window_shape: a list of ints, one for each spatial axis.
      pooling_type: "MAX" or "AVG".
      strides: a list of ints, by default all 1.
      padding: "SAME" or "VALID". For "MAX" also a list of pairs [before, after], one for each axis.
      data_format: such as "NWC", "NCHW" or "NDHWC".
      dilations: a list of ints, by default all 1. They may be above 1 only if the strides are 1 and `padding` is not
        "SAME".
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor with the dtype and layout of `input`.

    Raises:
      ValueError: the rank or `pooling_type` is not allowed, or the strides, dilations and padding cannot be combined.
      TypeError: `window_shape` is not a list.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/pool

    >>> pool([[[1.0], [3.0], [2.0]]], [2], "MAX", dilations=[2]).numpy().ravel().tolist()
    [2.0]
    """
    if not isinstance(window_shape, tuple):
        raise final(TypeError(f"`window_shape` must be a list of ints. Received: window_shape={window_shape}"))
    n = len(window_shape)
    if input.ndim != n + 2 or n > 3:
        raise final(ValueError(f"Shape {input.shape} must have rank {n + 2}, 5 at most"))
    last = channels_last(data_format, n, "Pool")
    steps = per_axis(1 if strides is None else strides, n, last, "strides", "Pool")
    rates = per_axis(1 if dilations is None else dilations, n, last, "dilations", "Pool")
    if max(rates) > 1 and max(steps) > 1:
        raise final(
            ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
                f"strides={list(steps)} and dilation_rate={list(rates)}"
            )
        )
    if max(rates) > 1 and padding == "SAME":
        raise final(
            ValueError(
                "pooling with 'SAME' padding is not implemented for `dilation_rate` > 1. Received: "
                f"padding={padding} and dilation_rate={list(rates)}"
            )
        )
    if pooling_type not in ("MAX", "AVG"):
        raise final(ValueError(f"{n}-D {pooling_type} pooling is not supported."))
    if pooling_type == "AVG":
        need_text(padding, "padding")
        need("f", input)
    need("fiu", input)
    x = spatial_last(input, last)
    win = window(x.shape[1:-1], window_shape, steps, padding, rates, last, "Pool")
    return spatial_first(maximum(x, win) if pooling_type == "MAX" else average(x, win), last)


MaxPoolWithArgmax = namedtuple("MaxPoolWithArgmax", ["output", "argmax"])


@op()
def _max_with_place(input: Array, ksize, strides, padding, output_dtype: DType, include_batch_in_index):
    need("fiu", input)
    x, win, _ = _checked(input, ksize, strides, padding, None, 2, "MaxPoolWithArgmax")
    which = winner(x, win)[1].astype(output_dtype)
    (h, w), c, columns = x.shape[1:3], x.shape[3], win.size[1]
    down = jnp.arange(win.output[0], dtype=output_dtype)[:, None, None] * win.strides[0] - win.padding[0][0]
    right = jnp.arange(win.output[1], dtype=output_dtype)[:, None] * win.strides[1] - win.padding[1][0]
    place = ((down + which // columns) * w + right + which % columns) * c + jnp.arange(c, dtype=output_dtype)
    if include_batch_in_index:
        place += jnp.arange(x.shape[0], dtype=output_dtype)[:, None, None, None] * (h * w * c)
    return maximum(x, win), place.astype(output_dtype)


@public("nn.max_pool_with_argmax")
def max_pool_with_argmax(
    input,
    ksize,
    strides,
    padding,
    data_format="NHWC",
    output_dtype=dtypes.int64,
    include_batch_in_index=False,
    name=None,
):
    """The maxima over windows of images, as `max_pool2d` computes them, and the positions of the maxima.

    Args:
      input: real numbers of shape [batch, height, width, channels].
      ksize: the size of a window, as in `max_pool2d`.
      strides: the distance between neighbouring windows, as in `max_pool2d`.
      padding: "SAME" or "VALID".
      data_format: must be "NHWC".
      output_dtype: the dtype of the positions, int64 or int32.
      include_batch_in_index: whether positions count on from image to image. Otherwise they start at 0 in each image.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A named tuple (output, argmax). A position is ``(y * width + x) * channels + channel`` and has no gradient.

    Raises:
      ValueError: `data_format` is not "NHWC". The other errors are those of `max_pool2d`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/max_pool_with_argmax

    >>> max_pool_with_argmax([[[[1.0], [2.0]], [[4.0], [3.0]]]], 2, 2, "VALID").argmax.numpy().ravel().tolist()
    [2]
    """
    if data_format != "NHWC":
        raise ValueError(
            f"`data_format` values other than 'NHWC' are not supported. Received: data_format={data_format}"
        )
    need_text(padding, "padding")
    if dtypes.as_dtype(output_dtype).name not in ("int32", "int64"):
        raise invalid_value(
            "Value for attr 'Targmax' of "
            f"{dtypes.as_dtype(output_dtype).name} is not in the list of allowed "
            "values: int32, int64 [Op:MaxPoolWithArgmax]"
        )
    return MaxPoolWithArgmax(*_max_with_place(input, ksize, strides, padding, output_dtype, include_batch_in_index))
