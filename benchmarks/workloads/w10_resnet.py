"""W10: ResNet-18 for images of 32x32, written with raw ops, batch 32.

It normalises by the mean and variance of the batch, and keeps no moving averages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.workloads.training import normal
from benchmarks.workloads.vision import Ops, image_workload

IMAGES = normal(32, 32, 32, 3, seed=110)
LABELS = np.random.default_rng(111).integers(0, 10, 32, dtype=np.int32)
# For each stage of two blocks: the channels, and the stride of the first block.
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))


def blocks() -> Iterator[tuple[int, int, int]]:
    """Yields the input channels, output channels and stride of each residual block.

    >>> list(blocks())[1:3]
    [(64, 64, 1), (64, 128, 2)]
    """
    inputs = STAGES[0][0]
    for outputs, stride in STAGES:
        yield inputs, outputs, stride
        yield outputs, outputs, 1
        inputs = outputs


def unit_shapes(size: int, inputs: int, outputs: int) -> list[tuple]:
    """Returns the weights' shapes of a convolution and its normalisation."""
    return [(size, size, inputs, outputs), ("scale", outputs), (outputs,)]


def shapes() -> list[tuple]:
    """Returns the weights' shapes in the order in which `network` takes them."""
    result = unit_shapes(3, 3, STAGES[0][0])
    for inputs, outputs, _ in blocks():
        result += unit_shapes(3, inputs, outputs) + unit_shapes(3, outputs, outputs)
        if inputs != outputs:
            result += unit_shapes(1, inputs, outputs)
    return [*result, (STAGES[-1][0], 10), (10,)]


def network(ops: Ops, weights: Sequence[Any], images: Any) -> Any:
    """Returns the logits of the images."""
    take = iter(list(weights)).__next__

    def unit(x: Any, stride: int) -> Any:
        return ops.norm(ops.conv(x, take(), stride), take(), take())

    x = ops.relu(unit(images, 1))
    for inputs, outputs, stride in blocks():
        y = unit(ops.relu(unit(x, stride)), 1)
        x = ops.relu(y + (x if inputs == outputs else unit(x, stride)))
    return ops.dense(ops.mean(x), take(), take())


WORKLOADS = [
    image_workload("W10", "ResNet-18 for 32x32, batch 32, softmax CE, Adam", network, shapes(), (IMAGES, LABELS))
]
