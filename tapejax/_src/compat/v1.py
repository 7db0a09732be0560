"""``tf.compat.v1``: those names of TensorFlow 1 that can be used in eager code.

Most of them are TensorFlow 2's functions under older names. Graphs, sessions, placeholders and collections do not exist
here; using one of their names raises `AttributeError` with an explanation.
"""

import contextlib
from typing import Any

from tapejax._src.compat import logging
from tapejax._src.compat.compat import as_bytes, as_str, as_text, dimension_at_index, dimension_value
from tapejax._src.core import convert, dtypes, errors, missing
from tapejax._src.core.dimension import Dimension
from tapejax._src.core.views import View, look_up

__all__ = ["Dimension", "as_bytes", "as_str", "as_text", "dimension_at_index", "dimension_value", "logging"]

# Names of TensorFlow 1, each with the name that the same function or class has in TensorFlow 2.
_RENAMED = {
    "FixedLenFeature": "io.FixedLenFeature",
    "FixedLenSequenceFeature": "io.FixedLenSequenceFeature",
    "NoGradient": "no_gradient",
    "NotDifferentiable": "no_gradient",
    "OpError": "errors.OpError",
    "VarLenFeature": "io.VarLenFeature",
    "check_numerics": "debugging.check_numerics",
    "cholesky": "linalg.cholesky",
    "cholesky_solve": "linalg.cholesky_solve",
    "cross": "linalg.cross",
    "decode_base64": "io.decode_base64",
    "diag": "linalg.tensor_diag",
    "diag_part": "linalg.tensor_diag_part",
    "div_no_nan": "math.divide_no_nan",
    "encode_base64": "io.encode_base64",
    "fft": "signal.fft",
    "fft2d": "signal.fft2d",
    "fft3d": "signal.fft3d",
    "global_norm": "linalg.global_norm",
    "ifft": "signal.ifft",
    "ifft2d": "signal.ifft2d",
    "ifft3d": "signal.ifft3d",
    "lin_space": "linspace",
    "matching_files": "io.matching_files",
    "matrix_band_part": "linalg.band_part",
    "matrix_determinant": "linalg.det",
    "matrix_diag": "linalg.diag",
    "matrix_diag_part": "linalg.diag_part",
    "matrix_inverse": "linalg.inv",
    "matrix_set_diag": "linalg.set_diag",
    "matrix_solve": "linalg.solve",
    "matrix_solve_ls": "linalg.lstsq",
    "matrix_transpose": "linalg.matrix_transpose",
    "matrix_triangular_solve": "linalg.triangular_solve",
    "mod": "math.floormod",
    "parse_tensor": "io.parse_tensor",
    "qr": "linalg.qr",
    "random_crop": "image.random_crop",
    "random_gamma": "random.gamma",
    "random_normal": "random.normal",
    "random_shuffle": "random.shuffle",
    "random_uniform": "random.uniform",
    "read_file": "io.read_file",
    "regex_replace": "strings.regex_replace",
    "reverse_v2": "reverse",
    "self_adjoint_eig": "linalg.eigh",
    "self_adjoint_eigvals": "linalg.eigvalsh",
    "serialize_tensor": "io.serialize_tensor",
    "set_random_seed": "random.set_seed",
    "string_join": "strings.join",
    "string_strip": "strings.strip",
    "svd": "linalg.svd",
    "tensor_scatter_add": "tensor_scatter_nd_add",
    "tensor_scatter_sub": "tensor_scatter_nd_sub",
    "tensor_scatter_update": "tensor_scatter_nd_update",
    "trace": "linalg.trace",
    "truncated_normal": "random.truncated_normal",
    "where_v2": "where",
    "write_file": "io.write_file",
}
# Names of TensorFlow 1 that TensorFlow 2 has under `tf.math`: tf.log is tf.math.log.
_MATH = """accumulate_n angle betainc ceil conj cumprod digamma erf erfc expm1 floordiv floormod igamma igammac imag
    invert_permutation is_finite is_inf is_nan is_non_decreasing is_strictly_increasing lbeta lgamma log log1p
    log_sigmoid logical_xor polygamma real reciprocal rint rsqrt segment_max segment_mean segment_min segment_prod
    segment_sum squared_difference unsorted_segment_max unsorted_segment_mean unsorted_segment_min
    unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum zeta""".split()
_RENAMED |= {name: f"math.{name}" for name in _MATH}

# By namespace: names whose arguments differ between TensorFlow 1 and 2. A call could mean something else here, so these
# names raise an error.
REFUSED = {
    "autograph": "to_code to_graph",
    "saved_model": "load",
    "": "Variable assert_equal assert_greater assert_less assert_rank batch_to_space constant_initializer "
    "convert_to_tensor gradients hessians ones_initializer space_to_batch zeros_initializer",
    "debugging": "assert_all_finite assert_equal assert_greater assert_greater_equal assert_less assert_less_equal "
    "assert_near assert_negative assert_non_negative assert_non_positive assert_none_equal "
    "assert_positive assert_rank assert_rank_at_least assert_rank_in",
    "image": "crop_and_resize extract_glimpse resize sample_distorted_bounding_box",
    "initializers": "glorot_normal glorot_uniform he_normal he_uniform lecun_normal lecun_uniform ones "
    "variance_scaling zeros",
    "io": "decode_raw",
    "math": "bincount confusion_matrix count_nonzero in_top_k",
    "nn": "avg_pool avg_pool2d batch_norm_with_global_normalization conv1d conv2d conv2d_transpose conv3d "
    "conv3d_transpose convolution ctc_loss depthwise_conv2d dilation2d dropout embedding_lookup "
    "embedding_lookup_sparse erosion2d fractional_avg_pool fractional_max_pool in_top_k max_pool "
    "max_pool_with_argmax moments pool safe_embedding_lookup_sparse sampled_softmax_loss separable_conv2d "
    "softmax_cross_entropy_with_logits space_to_batch sufficient_statistics weighted_moments",
    "random": "poisson",
    "sparse": "concat reduce_max reduce_sum split",
    "strings": "reduce_join to_hash_bucket to_number",
    "test": "assert_equal_graph_def compute_gradient",
    "train": "Checkpoint",
}
# Namespaces that are the same in TensorFlow 1 and 2.
_SAME = (
    "bitwise",
    "config",
    "data",
    "dtypes",
    "errors",
    "keras",
    "linalg",
    "lookup",
    "nest",
    "ragged",
    "sets",
    "signal",
    "version",
)
_CASTS = {"to_float": dtypes.float32, "to_double": dtypes.float64, "to_int32": dtypes.int32, "to_int64": dtypes.int64}
# Names that belong to graphs and sessions.
_GRAPHS = """AUTO_REUSE ConfigProto GPUOptions GraphDef GraphKeys InteractiveSession MetaGraphDef RunMetadata RunOptions
    Session Summary VariableScope add_to_collection all_variables get_collection get_collection_ref
    get_default_graph get_default_session get_local_variable get_variable get_variable_scope global_variables layers
    local_variables moving_average_variables placeholder placeholder_with_default py_func sparse_placeholder
    trainable_variables variable_scope wrap_function""".split()
# Names that are not supported, each with what to use instead.
_ELSEWHERE = {
    "app": "Use absl.app, or plain functions.",
    "flags": "Use absl.flags or argparse.",
    "losses": "Use tf.keras.losses.",
    "metrics": "Use tf.keras.metrics.",
    "summary": "Use tf.summary.",
    "distributions": "Use tensorflow_probability.",
}


def _accept() -> None:
    """Does nothing: what it switches on is always on here."""


enable_eager_execution = enable_v2_behavior = enable_resource_variables = enable_tensor_equality = _accept
enable_v2_tensorshape = enable_control_flow_v2 = _accept


def reset_default_graph() -> None:
    """Does nothing: in eager code the default graph is empty."""


def global_variables_initializer() -> None:
    """Does nothing: in eager code variables have their values from the start."""


local_variables_initializer = tables_initializer = initialize_all_variables = global_variables_initializer


def disable_eager_execution() -> None:
    """Refuses: TensorFlow 1's graphs and sessions do not exist here.

    Raises:
      UnsupportedError: always.
    """
    raise errors.UnsupportedError(
        "tf.compat.v1.disable_eager_execution()",
        "there are no graphs and sessions here",
        "Use tf.function, or leave it out.",
    )


def disable_v2_behavior() -> None:
    """Refuses; see `disable_eager_execution`."""
    disable_eager_execution()


def executing_eagerly_outside_functions() -> bool:
    """Whether code outside of functions runs eagerly. It is always True."""
    return True


control_flow_v2_enabled = resource_variables_enabled = executing_eagerly_outside_functions


@contextlib.contextmanager
def name_scope(name: Any, default_name: Any = None, values: Any = None) -> Any:
    """`tf.name_scope` with a default for a name that is None. `values` has no effect."""
    with look_up("tapejax.name_scope")(name if name is not None else default_name) as scope:
        yield scope


def convert_to_tensor(
    value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None, dtype_hint: Any = None
) -> Any:
    """`tf.convert_to_tensor`. `preferred_dtype` is an older name for `dtype_hint`.

    >>> convert_to_tensor([1, 2], preferred_dtype=dtypes.float32).dtype
    tf.float32
    """
    return convert.convert_to_tensor(value, dtype, preferred_dtype if dtype_hint is None else dtype_hint)


def assign(ref: Any, value: Any, validate_shape: Any = None, use_locking: Any = None, name: Any = None) -> Any:
    """Calls `ref.assign(value)`.

    Raises:
      UnsupportedError: `validate_shape` is False.
    """
    if validate_shape is False:
        raise errors.UnsupportedError(
            "tf.compat.v1.assign(`validate_shape=False`)",
            "variables keep their shape",
            "Make the variable with shape=tf.TensorShape(None).",
        )
    return ref.assign(value)


def assign_add(ref: Any, value: Any, use_locking: Any = None, name: Any = None) -> Any:
    """Calls `ref.assign_add(value)`."""
    return ref.assign_add(value)


def assign_sub(ref: Any, value: Any, use_locking: Any = None, name: Any = None) -> Any:
    """Calls `ref.assign_sub(value)`."""
    return ref.assign_sub(value)


def _cast(dtype: Any) -> Any:
    return lambda x, name=None: look_up("tapejax.cast")(x, dtype)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    value = globals()[name] = _find(name)
    return value


def _find(name: str) -> Any:
    if name in _CASTS:
        return _cast(_CASTS[name])
    if name == "gfile":
        return _gfile()
    if name in _GRAPHS:
        raise AttributeError(
            f"tf.compat.v1.{name} belongs to TensorFlow 1's graphs and sessions, which do not exist "
            "here: operations run at once, as in TensorFlow 2.",
            name=name,
        )
    if name in _ELSEWHERE:
        raise AttributeError(f"tf.compat.v1.{name} is TensorFlow 1's and not supported. {_ELSEWHERE[name]}", name=name)
    if name in REFUSED and name or name in _SAME:
        look_up(f"tapejax.{name}")  # raises AttributeError with an explanation if there is no such namespace
        return (
            View(
                f"{__name__}.{name}".replace("tapejax", "tf", 1),
                [f"tapejax.{name}"],
                refused=REFUSED.get(name, "").split(),
            )
            if name in REFUSED
            else look_up(f"tapejax.{name}")
        )
    if name in REFUSED[""].split():
        raise AttributeError(
            f"tf.compat.v1.{name} takes other arguments than TensorFlow 2's: use tf.{name}.", name=name
        )
    try:
        return look_up(f"tapejax.{_RENAMED.get(name, name)}")
    except AttributeError:
        raise AttributeError(missing.explain("tapejax.compat.v1", name, dir()).partition(": ")[2], name=name) from None


def _gfile() -> View:
    """The namespace `tf.compat.v1.gfile`: TensorFlow 1's names for the functions of `tf.io.gfile`."""
    old = {
        "Copy": "copy",
        "DeleteRecursively": "rmtree",
        "Exists": "exists",
        "FastGFile": "GFile",
        "Glob": "glob",
        "IsDirectory": "isdir",
        "ListDirectory": "listdir",
        "MakeDirs": "makedirs",
        "MkDir": "mkdir",
        "Open": "GFile",
        "Remove": "remove",
        "Rename": "rename",
        "Stat": "stat",
        "Walk": "walk",
    }
    return View(
        "tf.compat.v1.gfile", ["tapejax.io.gfile"], {was: f"tapejax.io.gfile.{now}" for was, now in old.items()}
    )


def __dir__() -> list[str]:
    top = look_up("tapejax")
    names = set(globals()) | set(_CASTS) | {n for n in dir(top) if n not in REFUSED[""].split()}
    return sorted(n for n in names | set(_RENAMED) if not n.startswith("_"))
