"""Points that fill a cube evenly."""

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
    """Points of Sobol's sequence, which fills the unit cube more evenly than random points do.

    Args:
      dim: of the cube. num_results: how many points.
      skip: how many to leave out first.
      dtype: float32 or float64.
      name: of no effect.

    Returns:
      [num_results, dim], in [0, 1).

    Raises:
      InvalidArgumentError: `dim` or `num_results` is not positive, or `skip` is negative.

    Source: https://www.tensorflow.org/api_docs/python/tf/math/sobol_sample

    >>> sobol_sample(2, 3).numpy().tolist()
    [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    """
    from scipy.stats import qmc  # slow to import, and in few programs

    wanted = dtypes.to_numpy(dtype)
    if wanted not in (np.float32, np.float64):
        raise invalid_value(
            f"Value for attr 'dtype' of {wanted.name} is not in the list of allowed values: float, double"
        )
    dim, n, skip = (int(np.asarray(v)) for v in (dim, num_results, skip))
    if dim < 1 or n < 1 or skip < 0:
        raise invalid_value(f"`dim` and `num_results` must be at least 1 and `skip` at least 0, got {dim}, {n}, {skip}")
    engine = qmc.Sobol(dim, scramble=False)
    engine.fast_forward(skip + 1)  # the first point is 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers of points that are no powers of 2
        return from_value(engine.random(n).astype(wanted))
