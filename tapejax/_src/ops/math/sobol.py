"""Sobol's sequence of points."""

import warnings
from typing import Any

import numpy as np

from tapejax._src.core import dtypes
from tapejax._src.core.checks import invalid_value
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value

__all__ = ["sobol_sample"]


@public("math.sobol_sample")
def sobol_sample(dim: int, num_results: int, skip: int = 0, dtype: Any = dtypes.float32, name: Any = None) -> Tensor:
    """Points of Sobol's sequence, which fill the unit cube more evenly than random points do.

    Args:
      dim: the dimension of the cube.
      num_results: the number of points.
      skip: the number of points at the start of the sequence that are left out.
      dtype: float32 or float64.
      name: has no effect, as in eager TensorFlow.

    Returns:
      A tensor of shape [num_results, dim] of numbers in [0, 1).

    Raises:
      InvalidArgumentError: `dim` or `num_results` is not positive, `skip` is negative, or the dtype is not allowed.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/sobol_sample

    >>> sobol_sample(2, 3).numpy().tolist()
    [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    """
    from scipy.stats import qmc  # imported late: it is slow to import, and few programs need it

    wanted = dtypes.to_numpy(dtype)
    if wanted not in (np.float32, np.float64):
        raise invalid_value(
            f"Value for attr 'dtype' of {wanted.name} is not in the list of allowed values: float, double"
        )
    dim, n, skip = (int(np.asarray(v)) for v in (dim, num_results, skip))
    if dim < 1 or n < 1 or skip < 0:
        raise invalid_value(f"`dim` and `num_results` must be at least 1 and `skip` at least 0, got {dim}, {n}, {skip}")
    engine = qmc.Sobol(dim, scramble=False)
    engine.fast_forward(skip + 1)  # TensorFlow leaves out the first point, the origin
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns unless the number of points is a power of 2
        return from_value(engine.random(n).astype(wanted))
