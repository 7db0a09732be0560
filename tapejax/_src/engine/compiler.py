"""`jit`: `jax.jit` with the compiler options that this release of XLA needs to be fast on CPUs."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import jax

__all__ = ["jit"]

_LIBRARY: Final = "xla_cpu_experimental_ynn_fusion_type"


@cache
def options() -> dict[str, Any]:
    """The options for the default backend.

    On CPUs, XLA calls a library for products, sums and 2-D convolutions. In jaxlib 0.10.2, the last release for Python
    3.11, that library runs convolutions on one thread. A convolution of [64, 32, 32, 32] by [3, 3, 32, 64] takes 26 ms
    on two cores with the library, and 13 ms with XLA's own code. In 0.10.1 and from 0.11.0 to 0.12.0 the library uses
    all cores. These options thus exclude convolutions from the library in 0.10.2.
    """
    chosen = _LIBRARY in os.environ.get("XLA_FLAGS", "")
    if chosen or version("jaxlib") != "0.10.2" or jax.default_backend() != "cpu":
        return {}
    return {_LIBRARY: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"}


def jit(function: Callable, donated: Iterable[int] = ()) -> Any:
    """Returns `jax.jit(function)` with the options of this file.

    Args:
      function: the function to compile.
      donated: positions of the arguments that the compiled function may overwrite.
    """
    return jax.jit(function, donate_argnums=tuple(donated), compiler_options=options())
