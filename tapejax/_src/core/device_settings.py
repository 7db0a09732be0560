"""The part of ``tf.config`` about devices: listing and choosing them, and XLA's settings for them."""

import os
import warnings
from collections import namedtuple
from typing import Any

import jax

__all__ = [
    "LogicalDevice", "LogicalDeviceConfiguration", "PhysicalDevice", "enable_op_determinism",
    "enable_tensor_float_32_execution", "get_device_details", "get_logical_device_configuration", "get_memory_growth",
    "get_memory_info", "get_soft_device_placement", "get_visible_devices", "list_logical_devices",
    "list_physical_devices", "set_logical_device_configuration", "set_memory_growth", "set_soft_device_placement",
    "set_visible_devices", "tensor_float_32_execution_enabled",
]  # fmt: skip

PhysicalDevice = namedtuple("PhysicalDevice", ["name", "device_type"])
LogicalDevice = namedtuple("LogicalDevice", ["name", "device_type"])
LogicalDeviceConfiguration = namedtuple(
    "LogicalDeviceConfiguration",
    ["memory_limit", "experimental_priority", "experimental_device_ordinal"],
    defaults=(None, None, None),
)

_PRECISION = "jax_default_matmul_precision"
_soft_placement = True
_visible: dict[str, list[PhysicalDevice]] = {}
_logical: dict[PhysicalDevice, list[Any]] = {}


def _kind(device: Any) -> str:
    return device.platform.upper().replace("CUDA", "GPU").replace("ROCM", "GPU")


def _devices(device_type: str | None) -> list[tuple[int, str]]:
    kinds = [_kind(d) for d in jax.devices()]
    kinds = kinds if "CPU" in kinds else ["CPU", *kinds]
    found, count = [], {}
    for kind in kinds:
        found.append((count.get(kind, 0), kind))
        count[kind] = count.get(kind, 0) + 1
    return [(i, k) for i, k in found if device_type in (None, k)]


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of this host, as JAX sees them.

    Args:
      device_type: "CPU", "GPU" or "TPU"; by default devices of all types.

    Returns:
      A list of `PhysicalDevice`.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/list_physical_devices

    >>> list_physical_devices("CPU")[0].device_type
    'CPU'
    """
    return [PhysicalDevice(f"/physical_device:{k}:{i}", k) for i, k in _devices(device_type)]


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """The devices that programs can use, which are the visible ones.

    Args:
      device_type: "CPU", "GPU" or "TPU"; by default devices of all types.

    Returns:
      A list of `LogicalDevice`.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/list_logical_devices

    >>> list_logical_devices("CPU")[0].name
    '/device:CPU:0'
    """
    return [
        LogicalDevice(f"/device:{d.device_type}:{i}", d.device_type)
        for kind in dict.fromkeys(d.device_type for d in list_physical_devices(device_type))
        for i, d in enumerate(get_visible_devices(kind))
    ]


def _known(device: Any) -> PhysicalDevice:
    if device not in list_physical_devices():
        raise ValueError(f"Unrecognized device: {device!r}")
    return device


def _of_jax(device: PhysicalDevice) -> Any:
    return [d for d in [*jax.devices(), *jax.devices("cpu")] if _kind(d) == device.device_type][
        int(device.name.rpartition(":")[2])
    ]


def get_visible_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices that programs may use: all except those that `set_visible_devices` left out.

    Args:
      device_type: "CPU", "GPU" or "TPU"; by default devices of all types.

    Returns:
      A list of `PhysicalDevice`.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/get_visible_devices

    >>> get_visible_devices("CPU")[0].device_type
    'CPU'
    """
    return [d for d in list_physical_devices(device_type) if d in _visible.get(d.device_type, [d])]


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Chooses the devices that programs may use.

    Programs run on JAX's default device. This function sets it to the first visible GPU or TPU, or to the CPU if no
    other device is visible.

    Args:
      devices: a device or a list of devices.
      device_type: the type of device that is chosen; devices of other types stay as they are. By default all types.

    Raises:
      ValueError: one of `devices` is not a device of this host, or is not of type `device_type`.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/set_visible_devices

    >>> set_visible_devices(list_physical_devices("CPU"), "CPU")
    """
    wanted = [_known(d) for d in (devices if isinstance(devices, list) else [devices])]
    for d in wanted:
        if device_type is not None and d.device_type != device_type:
            raise ValueError(f"Unrecognized device: {d!r} is not a {device_type}")
    kinds = [device_type] if device_type else [*dict.fromkeys(d.device_type for d in list_physical_devices())]
    _visible.update({kind: [d for d in wanted if d.device_type == kind] for kind in kinds})
    fast = [d for d in get_visible_devices() if d.device_type != "CPU"]
    chosen = _of_jax(fast[0]) if fast else jax.devices("cpu")[0]
    jax.config.update("jax_default_device", None if chosen == jax.devices()[0] else chosen)


def set_memory_growth(device: PhysicalDevice, enable: bool) -> None:
    """Asks for a GPU's memory to be allocated as needed, or all at once.

    JAX decides this when it starts, so this function can only check that JAX started as asked.

    Args:
      device: a device of this host. For a CPU nothing is checked.
      enable: whether memory is allocated as needed.

    Raises:
      ValueError: `device` is not a device of this host.
      RuntimeError: JAX has started with the other setting.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/experimental/set_memory_growth

    >>> set_memory_growth(list_physical_devices("CPU")[0], True)
    """
    _known(device)
    if device.device_type == "GPU" and bool(enable) != get_memory_growth(device):
        raise RuntimeError(
            "Physical devices cannot be modified after being initialized: set the environment variable "
            f"XLA_PYTHON_CLIENT_PREALLOCATE={str(not enable).lower()} before starting"
        )


def get_memory_growth(device: PhysicalDevice) -> bool:
    """Whether a GPU's memory is allocated as needed.

    Args:
      device: a device; the answer is the same for all.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/experimental/get_memory_growth

    >>> isinstance(get_memory_growth(list_physical_devices("CPU")[0]), bool)
    True
    """
    return os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE", "true").lower() in ("false", "0")


def set_logical_device_configuration(device: PhysicalDevice, logical_devices: list[Any]) -> None:
    """Splits a device into several logical devices.

    JAX decides this when it starts, so this function can only check that JAX started as asked.

    Args:
      device: the CPU, for which one part or as many parts as JAX sees CPU devices are accepted; or a GPU, for which
        one part without a memory limit is accepted.
      logical_devices: a list of `LogicalDeviceConfiguration`.

    Raises:
      ValueError: `device` is not a device of this host, or a memory limit is asked for on a CPU.
      RuntimeError: JAX has started with other settings. The message says which environment variable to set.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/set_logical_device_configuration
    """
    _known(device)
    limits = [c.memory_limit for c in logical_devices if c.memory_limit is not None]
    if device.device_type == "CPU":
        if limits:
            raise ValueError("Setting memory limit on CPU is currently not supported")
        if len(logical_devices) not in (1, len(list_physical_devices("CPU"))):
            raise RuntimeError(
                "Virtual devices cannot be modified after being initialized: set the environment "
                f"variable XLA_FLAGS=--xla_force_host_platform_device_count={len(logical_devices)} "
                "before starting"
            )
    elif len(logical_devices) != 1 or limits:
        raise RuntimeError(
            "Virtual devices cannot be modified after being initialized: JAX does not split a GPU; to "
            "limit its memory set the environment variable XLA_PYTHON_CLIENT_MEM_FRACTION before "
            "starting"
        )
    _logical[device] = list(logical_devices)


def get_logical_device_configuration(device: PhysicalDevice) -> list[Any] | None:
    """The configuration that `set_logical_device_configuration` was given for a device, or None.

    Args:
      device: a device of this host.

    Raises:
      ValueError: `device` is not a device of this host.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/get_logical_device_configuration
    """
    return _logical.get(_known(device))


def set_soft_device_placement(enabled: bool) -> None:
    """Allows operations to run on another device than the chosen one. Kept, but of no effect.

    A program runs as a whole on one device, so no single operation is moved.

    Args:
      enabled: what `get_soft_device_placement` then returns.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/set_soft_device_placement

    >>> set_soft_device_placement(True)
    """
    global _soft_placement
    _soft_placement = bool(enabled)


def get_soft_device_placement() -> bool:
    """The value that `set_soft_device_placement` was last given.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/get_soft_device_placement

    >>> get_soft_device_placement()
    True
    """
    return _soft_placement


def get_device_details(device: PhysicalDevice) -> dict[str, Any]:
    """Details of a device: a dictionary with the "device_name" of a GPU, an empty one for a CPU.

    Args:
      device: a device of this host.

    Raises:
      ValueError: `device` is not a device of this host.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/experimental/get_device_details

    >>> get_device_details(list_physical_devices("CPU")[0])
    {}
    """
    return {} if _known(device).device_type == "CPU" else {"device_name": _of_jax(device).device_kind}


def get_memory_info(device: str) -> dict[str, int]:
    """The memory in use on a device, in bytes.

    Args:
      device: a device's name, such as "GPU:0".

    Returns:
      A dictionary: "current" is the number now, "peak" the highest so far. Both are 0 for a CPU, whose memory JAX
      does not count.

    Raises:
      ValueError: this host has no such device.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/experimental/get_memory_info

    >>> get_memory_info("CPU:0")
    {'current': 0, 'peak': 0}
    """
    kind, _, number = device.removeprefix("/device:").partition(":")
    stats = _of_jax(_known(PhysicalDevice(f"/physical_device:{kind}:{number or 0}", kind))).memory_stats() or {}
    return {"current": stats.get("bytes_in_use", 0), "peak": stats.get("peak_bytes_in_use", 0)}


def enable_op_determinism() -> None:
    """Makes results the same in every run. On CPU and TPU they always are; on a GPU XLA must be started with a flag.

    Raises:
      RuntimeError: there is a GPU, and the flag is not set. The message says what to set.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism

    >>> enable_op_determinism()
    """
    if list_physical_devices("GPU") and "xla_gpu_deterministic_ops=true" not in os.environ.get("XLA_FLAGS", ""):
        raise RuntimeError(
            "On a GPU results are deterministic only if XLA starts with a flag: set the environment variable "
            "XLA_FLAGS=--xla_gpu_deterministic_ops=true before starting"
        )


def enable_tensor_float_32_execution(enabled: bool) -> None:
    """Allows GPUs to multiply float32 matrices in TensorFloat-32, by JAX's `jax_default_matmul_precision`.

    Args:
      enabled: whether TensorFloat-32, which is faster and less precise, is allowed.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_tensor_float_32_execution

    >>> enable_tensor_float_32_execution(True)
    """
    jax.config.update(_PRECISION, None if enabled else "float32")


def tensor_float_32_execution_enabled() -> bool:
    """Whether GPUs may multiply float32 matrices in TensorFloat-32.

    Source: https://www.tensorflow.org/api_docs/python/tf/config/experimental/tensor_float_32_execution_enabled

    >>> tensor_float_32_execution_enabled()
    True
    """
    return getattr(jax.config, _PRECISION) not in ("float32", "highest")


class threading:
    """``tf.config.threading``. XLA sizes its thread pools when it starts, so the numbers are only remembered."""

    _numbers = {"intra": 0, "inter": 0}

    @classmethod
    def _set(cls, kind: str, num_threads: int) -> None:
        if num_threads:
            warnings.warn(
                f"XLA chooses its number of threads itself: {kind}_op_parallelism_threads={num_threads} "
                "changes nothing",
                stacklevel=3,
            )
        cls._numbers[kind] = int(num_threads)

    @classmethod
    def set_intra_op_parallelism_threads(cls, num_threads: int) -> None:
        """Remembers the number, and warns that XLA chooses it unless it is 0, which means the system's choice."""
        cls._set("intra", num_threads)

    @classmethod
    def set_inter_op_parallelism_threads(cls, num_threads: int) -> None:
        """Remembers the number, and warns that XLA chooses it unless it is 0, which means the system's choice."""
        cls._set("inter", num_threads)

    @classmethod
    def get_intra_op_parallelism_threads(cls) -> int:
        """The number that was last set; 0 at first."""
        return cls._numbers["intra"]

    @classmethod
    def get_inter_op_parallelism_threads(cls) -> int:
        """The number that was last set; 0 at first."""
        return cls._numbers["inter"]


class optimizer:
    """``tf.config.optimizer``: settings of TensorFlow's graph optimizer. In tapejax XLA compiles everything."""

    _jit = ""
    _options: dict[str, Any] = {"disable_model_pruning": False, "disable_meta_optimizer": False}

    @classmethod
    def set_jit(cls, enabled: Any) -> None:
        """Asks for XLA compilation, which is always on.

        Args:
          enabled: what `get_jit` then returns. False also gives a warning.
        """
        if enabled in (False, ""):
            warnings.warn(
                "everything is compiled by XLA: set_jit(False) changes nothing (set tapejax.config.eager = True to "
                "run operations one at a time)",
                stacklevel=2,
            )
        cls._jit = "autoclustering" if enabled is True else enabled or ""

    @classmethod
    def get_jit(cls) -> str:
        """The setting that `set_jit` was last given, where "autoclustering" stands for True."""
        return cls._jit

    @classmethod
    def set_experimental_options(cls, options: dict[str, Any]) -> None:
        """Keeps options for `get_experimental_options`. They have no effect, because XLA's passes are always on.

        Raises:
          ValueError: `options` is not a dictionary.
        """
        if not isinstance(options, dict):
            raise ValueError(f"`options` must be a dictionary, got {options!r}")
        cls._options = {**cls._options, **options}

    @classmethod
    def get_experimental_options(cls) -> dict[str, Any]:
        """All options, with the values that were set."""
        return dict(cls._options)
