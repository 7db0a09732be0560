"""Settings of tapejax, and ``tf.config``'s device queries."""

import os
import sys
from collections import namedtuple
from types import ModuleType
from typing import Any

import jax

from tapejax import missing
from tapejax.engine import stream
from tapejax.malloc import keep_memory as keep_memory

PhysicalDevice = namedtuple("PhysicalDevice", ["name", "device_type"])
LogicalDevice = namedtuple("LogicalDevice", ["name", "device_type"])


def _devices(device_type: str | None) -> list[tuple[int, str]]:
    kinds = [d.platform.upper().replace("CUDA", "GPU") for d in jax.devices()]
    kinds = kinds if "CPU" in kinds else ["CPU", *kinds]
    found, count = [], {}
    for kind in kinds:
        found.append((count.get(kind, 0), kind))
        count[kind] = count.get(kind, 0) + 1
    return [(i, k) for i, k in found if device_type in (None, k)]


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """Devices of this host, as JAX sees them.

    Args:
      device_type: "CPU", "GPU" or "TPU"; by default all.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/list_physical_devices

    >>> list_physical_devices("CPU")[0].device_type
    'CPU'
    """
    return [PhysicalDevice(f"/physical_device:{k}:{i}", k) for i, k in _devices(device_type)]


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """Devices that programs can use. Arguments as of `list_physical_devices`."""
    return [LogicalDevice(f"/device:{k}:{i}", k) for i, k in _devices(device_type)]


class experimental:
    """``tf.config.experimental``: what of it has a meaning on JAX."""

    list_physical_devices = staticmethod(list_physical_devices)
    list_logical_devices = staticmethod(list_logical_devices)

    @staticmethod
    def set_memory_growth(device: PhysicalDevice, enable: bool) -> None:
        """Whether a GPU's memory is taken as needed. JAX decides when it starts, so this can only check.

        Raises:
          ValueError: not a device of this host. RuntimeError: JAX has started with the other setting.
        """
        if device not in list_physical_devices():
            raise ValueError(f"Unrecognized device: {device!r}")
        grows = os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE", "true").lower() in ("false", "0")
        if device.device_type == "GPU" and bool(enable) != grows:
            raise RuntimeError("Physical devices cannot be modified after being initialized: set the environment "
                               f"variable XLA_PYTHON_CLIENT_PREALLOCATE={str(not enable).lower()} before starting")

    @staticmethod
    def get_memory_growth(device: PhysicalDevice) -> bool:
        """Whether a GPU's memory is taken as needed."""
        return os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE", "true").lower() in ("false", "0")


eager: bool  # a property of the module, see `_Config`


class _Config(ModuleType):
    """The module, with `eager` as a setting that acts when it is set."""

    @property
    def eager(self) -> bool:
        """Whether each op runs at once, by itself, for debugging. Also the environment's TAPEJAX_EAGER=1."""
        return stream.is_eager()

    @eager.setter
    def eager(self, on: bool) -> None:
        stream.set_eager(bool(on))


sys.modules[__name__].__class__ = _Config
if os.environ.get("TAPEJAX_EAGER", "0") not in ("", "0"):
    stream.set_eager(True)

_FUNCTIONS = "tapejax.function.function"
__getattr__: Any = missing.module_getattr(__name__, globals(), lazy={
    name: f"{_FUNCTIONS}:{name.removeprefix('experimental_')}" for name in (
        "run_functions_eagerly", "functions_run_eagerly", "experimental_run_functions_eagerly",
        "experimental_functions_run_eagerly")})
