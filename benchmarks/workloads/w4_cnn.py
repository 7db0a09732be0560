"""W4: a small convolutional network, written with raw ops, batch 64.

Its layers are conv 3x3 32, conv 3x3 64, max-pool, conv 3x3 64, dense 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.workloads.training import normal
from benchmarks.workloads.vision import Ops, image_workload

IMAGES = normal(64, 32, 32, 3, seed=105)
LABELS = np.random.default_rng(106).integers(0, 10, 64, dtype=np.int32)
SHAPES = [(3, 3, 3, 32), (32,), (3, 3, 32, 64), (64,), (3, 3, 64, 64), (64,), (16 * 16 * 64, 10), (10,)]


def network(ops: Ops, weights: Sequence[Any], images: Any) -> Any:
    """Returns the logits of the images."""
    take = iter(list(weights)).__next__

    def layer(x: Any) -> Any:
        kernel, bias = take(), take()
        return ops.relu(ops.add_bias(ops.conv(x, kernel, 1), bias))

    x = layer(layer(images))
    x = layer(ops.max_pool(x))
    return ops.dense(ops.flat(x), take(), take())


WORKLOADS = [image_workload("W4", "CNN 32x32x3, batch 64, softmax CE, Adam", network, SHAPES, (IMAGES, LABELS))]
