"""Counterparts of modules that are internal to TensorFlow, but that many programs import.

These are `tensorflow.python.*` and the file paths of Keras 2. `find` returns for such a path a `View`: a module in
which the names are those of public namespaces.
"""

import inspect
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

from tapejax._src.compat.v1 import REFUSED
from tapejax._src.core import errors
from tapejax._src.core.views import View, look_up

__all__ = ["find"]

# For each module under `tensorflow.python.`: the public namespaces in which its names are found. "" stands for `tf`.
_SPACES: dict[str, tuple[str, ...]] = {
    "": ("",), "autograph": ("autograph",), "client": (), "client.device_lib": (), "compat": ("compat",),
    "data": ("data",), "data.ops": ("data",), "data.ops.dataset_ops": ("data",), "data.ops.iterator_ops": ("data",),
    "data.ops.readers": ("data",), "data.util": (), "eager": (),
    "eager.backprop": ("",), "eager.context": ("", "config"), "eager.def_function": ("",),
    "eager.forwardprop": ("autodiff",), "eager.polymorphic_function": (),
    "eager.polymorphic_function.polymorphic_function": ("",), "framework": (), "framework.config": ("config",),
    "framework.constant_op": ("",), "framework.dtypes": ("dtypes", ""), "framework.errors": ("errors",),
    "framework.errors_impl": ("errors",), "framework.indexed_slices": ("",), "framework.ops": ("",),
    "framework.random_seed": ("random",), "framework.smart_cond": (), "framework.sparse_tensor": ("", "sparse"),
    "framework.tensor": ("",), "framework.tensor_conversion": ("",), "framework.tensor_shape": ("",),
    "framework.tensor_spec": ("",), "framework.tensor_util": ("",), "framework.test_util": ("test",),
    "framework.type_spec": ("",), "lib": (), "lib.io": ("io",), "lib.io.file_io": ("io.gfile",),
    "lib.io.tf_record": ("io",), "module": (), "module.module": ("",), "ops": (), "ops.array_ops": ("",),
    "ops.array_ops_stack": ("",), "ops.bitwise_ops": ("bitwise",), "ops.check_ops": ("debugging",),
    "ops.clip_ops": ("",), "ops.cond": ("",), "ops.confusion_matrix": ("math",), "ops.control_flow_ops": ("",),
    "ops.ctc_ops": ("nn",), "ops.custom_gradient": ("",), "ops.embedding_ops": ("nn",),
    "ops.functional_ops": ("",), "ops.gradients": ("",), "ops.gradients_impl": ("",), "ops.histogram_ops": ("",),
    "ops.image_ops": ("image",), "ops.image_ops_impl": ("image",), "ops.init_ops_v2": (), "ops.io_ops": ("io",),
    "ops.linalg": (), "ops.linalg.linalg": ("linalg",), "ops.linalg.linalg_impl": ("linalg",),
    "ops.linalg_ops": ("linalg",), "ops.logging_ops": ("",), "ops.lookup_ops": ("lookup",),
    "ops.manip_ops": ("",), "ops.map_fn": ("",), "ops.math_ops": ("math", ""), "ops.nn": ("nn",),
    "ops.nn_impl": ("nn", "math"), "ops.nn_ops": ("nn",), "ops.numerics": ("debugging",),
    "ops.parallel_for": ("",), "ops.parsing_ops": ("io",), "ops.ragged": ("ragged", ""),
    "ops.ragged.ragged_factory_ops": ("ragged",), "ops.ragged.ragged_tensor": ("",), "ops.random_ops": ("random", ""),
    "ops.resource_variable_ops": ("",), "ops.script_ops": ("",), "ops.sets": ("sets",), "ops.signal": ("signal",),
    "ops.signal.fft_ops": ("signal",), "ops.signal.signal": ("signal",), "ops.signal.window_ops": ("signal",),
    "ops.sparse_ops": ("sparse",), "ops.special_math_ops": ("math", ""), "ops.standard_ops": ("", "math"),
    "ops.state_ops": (), "ops.stateless_random_ops": ("random",), "ops.string_ops": ("strings",),
    "ops.summary_ops_v2": ("summary",), "ops.tensor_array_ops": ("",), "ops.unconnected_gradients": ("",),
    "ops.variable_scope": ("",), "ops.variables": ("",), "ops.while_loop": ("",), "platform": ("",),
    "platform.gfile": ("io.gfile",), "platform.test": ("test",), "platform.tf_logging": ("compat.v1.logging",),
    "profiler": ("profiler",), "saved_model": ("saved_model",), "saved_model.load": ("saved_model",),
    "trackable": (), "training": (), "training.checkpoint_management": ("train",),
    "training.checkpoint_utils": ("train",), "training.moving_averages": ("train",), "training.training": ("train",),
    "util": (), "util.compat": ("compat",), "util.deprecation": (), "util.dispatch": (), "util.nest": ("nest",),
    "util.tf_export": (), "util.tf_inspect": (),
}  # fmt: skip

# For each module: names that mean something else in it than in the public namespaces. Using one raises an error. The
# names in `v1.REFUSED` are refused too.
_REFUSED = {
    "framework.ops": "cast",
    "ops.array_ops": "unique_v2 unique_with_counts_v2",
    "ops.image_ops": "non_max_suppression_padded_v2 non_max_suppression_v2 random_crop",
    "ops.image_ops_impl": "non_max_suppression_padded_v2",
    "ops.linalg_ops": "banded_triangular_solve einsum tridiagonal_solve",
    "ops.parsing_ops": "parse_sequence_example_v2",
    "ops.sparse_ops": "bincount",
    "ops.string_ops": "unicode_encode",
    "ops.summary_ops_v2": "audio create_file_writer histogram image scalar",
    "ops.standard_ops": "einsum split stack_v2 unique_v2 unique_with_counts_v2",
}

# The same for the modules under Keras 2's `keras.` and under `tensorflow.python.keras.`; "" stands for `tf.keras`.
_KERAS: dict[str, tuple[str, ...]] = {
    "api": ("",), "engine": ("", "layers"), "engine.base_layer": ("", "layers"), "engine.functional": ("",),
    "engine.input_layer": ("", "layers"), "engine.input_spec": ("layers", ""), "engine.keras_tensor": ("",),
    "engine.network": ("",), "engine.sequential": ("",), "engine.topology": ("", "layers"),
    "engine.training": ("",), "initializers.initializers_v2": ("initializers",),
    "layers.advanced_activations": ("layers",), "layers.convolutional": ("layers",), "layers.core": ("layers",),
    "layers.embeddings": ("layers",), "layers.merge": ("layers",), "layers.noise": ("layers",),
    "layers.normalization": ("layers",), "layers.pooling": ("layers",), "layers.recurrent": ("layers",),
    "layers.wrappers": ("layers",), "objectives": ("losses",), "optimizer_v2": ("optimizers",),
    "optimizer_v2.adam": ("optimizers",), "optimizer_v2.gradient_descent": ("optimizers",),
    "optimizer_v2.learning_rate_schedule": ("optimizers.schedules",), "optimizer_v2.optimizer_v2": ("optimizers",),
    "optimizer_v2.rmsprop": ("optimizers",), "utils.data_utils": ("utils",), "utils.generic_utils": ("utils",),
    "utils.layer_utils": ("utils",), "utils.losses_utils": ("losses",), "utils.np_utils": ("utils",),
    "utils.vis_utils": ("utils",), "utils.conv_utils": ("utils",), "utils.tf_utils": ("utils",),
}  # fmt: skip


def find(dotted: str) -> ModuleType | None:
    """Finds the counterpart of an internal module.

    Args:
      dotted: the module's path without "tensorflow.", such as "python.ops.math_ops" or "keras.engine.base_layer".

    Returns:
      The module, the same object at each call, or None if the path is not internal or has no counterpart.

    >>> find("python.ops.math_ops").reduce_sum is look_up("tapejax.reduce_sum")
    True
    """
    if dotted not in _made:
        made = _make(dotted)
        if made is None:
            return None
        _made[dotted] = made
    return _made[dotted]


_made: dict[str, ModuleType] = {}


def _make(dotted: str) -> ModuleType | None:
    head, _, rest = dotted.partition(".")
    if head == "python":
        if rest == "keras" or rest.startswith("keras."):
            return find(rest) or _plain(rest)
        if rest in _SPACES:
            return View(
                f"tensorflow.{dotted}",
                _names(_SPACES[rest]),
                {**_children(dotted, rest, _SPACES), **_OTHERS.get(rest, {})},
                _refused(rest),
            )
    if head == "keras" and rest in _KERAS:
        return View(
            f"tensorflow.{dotted}",
            _names(_KERAS[rest], "tapejax.keras"),
            {**_children(dotted, rest, _KERAS), **_KERAS_OTHERS.get(rest, {})},
            behind=_plain(dotted),
        )
    return None


def _children(dotted: str, rest: str, table: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """The modules one level below. In TensorFlow they are attributes of the module once it is imported."""
    start = f"{rest}." if rest else ""
    below = [path[len(start) :] for path in table if path.startswith(start) and path != rest]
    return {name: find(f"{dotted}.{name}") for name in below if "." not in name}


def _plain(dotted: str) -> ModuleType | None:
    """The public module of tapejax with this name, or None."""
    try:
        found = look_up(f"tapejax.{dotted}")
    except AttributeError:
        return None
    return found if isinstance(found, ModuleType) else None


def _names(spaces: tuple[str, ...], root: str = "tapejax") -> list[str]:
    return [f"{root}.{space}" if space else root for space in spaces]


def _refused(path: str) -> set[str]:
    first = {name for space in _SPACES[path] for name in REFUSED.get(space, "").split()}
    return first | set(_REFUSED.get(path, "").split()) - {"convert_to_tensor"}


# Functions that are in no public namespace


def _list_local_devices(session_config: Any = None) -> list[SimpleNamespace]:
    """The devices in the form of `device_lib`. Their memory is not known and given as 0."""
    devices = look_up("tapejax.config").list_logical_devices()
    return [
        SimpleNamespace(name=d.name, device_type=d.device_type, memory_limit=0, physical_device_desc=d.name)
        for d in devices
    ]


def _smart_cond(
    pred: Any, true_fn: Callable | None = None, false_fn: Callable | None = None, name: str | None = None
) -> Any:
    """Calls one of two functions. If the value of the condition is known, Python chooses; otherwise `tf.cond` does."""
    if callable(true_fn) is False or callable(false_fn) is False:
        raise TypeError("`true_fn` and `false_fn` must be callable.")
    known = _smart_constant_value(pred)
    if known is not None:
        return true_fn() if known else false_fn()  # type: ignore[misc]
    return look_up("tapejax.cond")(pred, true_fn, false_fn)


def _smart_constant_value(pred: Any) -> bool | None:
    """The value of a condition, or None if it is a tensor of a function that is being captured."""
    value = look_up("tapejax.get_static_value")(pred)
    return None if value is None else bool(value)


def _assign_moving_average(
    variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None
) -> Any:
    """``variable.assign(variable * decay + value * (1 - decay))``."""
    if zero_debias:
        raise errors.UnsupportedError(
            "assign_moving_average(`zero_debias=True`)",
            "the correction counts steps in variables of TensorFlow 1",
            "Pass zero_debias=False.",
        )
    return variable.assign_sub((variable - value) * (1 - decay))


def _keeps(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """Makes a decorator that changes nothing. It stands for decorators that only matter in TensorFlow's own source."""
    return lambda marked: marked


def _normalize_tuple(value: Any, n: int, name: str, allow_zero: bool = False) -> tuple[int, ...]:
    """`value` as a tuple of `n` integers. A single integer is repeated."""
    values = (value,) * n if isinstance(value, int) else tuple(value)
    if len(values) != n or any(not isinstance(v, int) or v < (0 if allow_zero else 1) for v in values):
        raise ValueError(f"The `{name}` argument must be a tuple of {n} positive integers. Received: {value}")
    return values


_OTHERS: dict[str, dict[str, Any]] = {
    "client.device_lib": {"list_local_devices": _list_local_devices},
    "framework.ops": {
        "EagerTensor": "tapejax.Tensor",
        "convert_to_tensor": "tapejax.compat.v1.convert_to_tensor",
        "name_scope_v1": "tapejax.compat.v1.name_scope",
    },
    "framework.smart_cond": {"smart_cond": _smart_cond, "smart_constant_value": _smart_constant_value},
    "framework.tensor_util": {"constant_value": "tapejax.get_static_value", "is_tf_type": "tapejax.is_tensor"},
    "ops.init_ops_v2": {
        cls: f"tapejax.{name}_initializer"
        for cls, name in (
            ("Constant", "constant"),
            ("Ones", "ones"),
            ("RandomNormal", "random_normal"),
            ("RandomUniform", "random_uniform"),
            ("Zeros", "zeros"),
        )
    },
    "ops.math_ops": {
        "to_float": "tapejax.compat.v1.to_float",
        "to_int32": "tapejax.compat.v1.to_int32",
        "mod": "tapejax.math.floormod",
        "matmul": "tapejax.matmul",
        "cast": "tapejax.cast",
        "range": "tapejax.range",
    },
    "ops.random_ops": {
        "random_uniform": "tapejax.random.uniform",
        "random_normal": "tapejax.random.normal",
        "random_shuffle": "tapejax.random.shuffle",
    },
    "ops.resource_variable_ops": {"ResourceVariable": "tapejax.Variable", "BaseResourceVariable": "tapejax.Variable"},
    "ops.state_ops": {name: f"tapejax.compat.v1.{name}" for name in ("assign", "assign_add", "assign_sub")},
    "training.moving_averages": {"assign_moving_average": _assign_moving_average},
    "util.deprecation": {name: _keeps for name in ("deprecated", "deprecated_args", "deprecated_endpoints")},
    "util.dispatch": {"add_dispatch_support": lambda target=None, iterable_parameters=None: target or _keeps()},
    "util.tf_export": {"tf_export": _keeps, "keras_export": _keeps},
    "util.tf_inspect": {
        "getfullargspec": inspect.getfullargspec,
        "signature": inspect.signature,
        "isclass": inspect.isclass,
        "isfunction": inspect.isfunction,
        "ismethod": inspect.ismethod,
    },
}
_KERAS_OTHERS: dict[str, dict[str, Any]] = {
    "utils.conv_utils": {"normalize_tuple": _normalize_tuple},
    "utils.tf_utils": {"smart_cond": _smart_cond, "is_tensor_or_variable": "tapejax.is_tensor"},
}
