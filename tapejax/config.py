"""Settings of tapejax, and ``tf.config``'s device queries."""

import os
import sys
from types import ModuleType
from typing import Any

from tapejax import missing
from tapejax.device_settings import (
    LogicalDevice,
    LogicalDeviceConfiguration,
    PhysicalDevice,
    enable_op_determinism,
    enable_tensor_float_32_execution,
    get_device_details,
    get_logical_device_configuration,
    get_memory_growth,
    get_memory_info,
    get_soft_device_placement,
    get_visible_devices,
    list_logical_devices,
    list_physical_devices,
    optimizer,
    set_logical_device_configuration,
    set_memory_growth,
    set_soft_device_placement,
    set_visible_devices,
    tensor_float_32_execution_enabled,
    threading,
)
from tapejax.engine import stream
from tapejax.malloc import keep_memory as keep_memory

__all__ = [
    "LogicalDevice", "LogicalDeviceConfiguration", "PhysicalDevice", "experimental", "get_logical_device_configuration",
    "get_soft_device_placement", "get_visible_devices", "keep_memory", "list_logical_devices",
    "list_physical_devices", "optimizer", "set_logical_device_configuration", "set_soft_device_placement",
    "set_visible_devices", "threading",
]  # fmt: skip


class experimental:
    """``tf.config.experimental``: the older names of what has one in `tf.config`, and what has not."""

    VirtualDeviceConfiguration = LogicalDeviceConfiguration
    set_virtual_device_configuration = staticmethod(set_logical_device_configuration)
    get_virtual_device_configuration = staticmethod(get_logical_device_configuration)
    list_physical_devices = staticmethod(list_physical_devices)
    list_logical_devices = staticmethod(list_logical_devices)
    get_visible_devices = staticmethod(get_visible_devices)
    set_visible_devices = staticmethod(set_visible_devices)
    set_memory_growth = staticmethod(set_memory_growth)
    get_memory_growth = staticmethod(get_memory_growth)
    get_memory_info = staticmethod(get_memory_info)
    get_device_details = staticmethod(get_device_details)
    enable_op_determinism = staticmethod(enable_op_determinism)
    enable_tensor_float_32_execution = staticmethod(enable_tensor_float_32_execution)
    tensor_float_32_execution_enabled = staticmethod(tensor_float_32_execution_enabled)


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
