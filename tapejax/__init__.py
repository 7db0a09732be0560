"""TensorFlow-2-style training code on JAX: ``import tapejax as tf``.

Operations are recorded and compiled together when a value is needed; see `explain` for what was compiled.
"""

from tapejax import config, dtypes, errors, missing, nest, version
from tapejax.aliases import install_as_tensorflow
from tapejax.autodiff import slice_ops, variable_slices
from tapejax.autodiff.custom_gradient import custom_gradient, grad_pass_through
from tapejax.autodiff.indexed_slices import IndexedSlices
from tapejax.autodiff.tape import GradientTape, UnconnectedGradients
from tapejax.convert import constant, convert_to_tensor, register_tensor_conversion_function
from tapejax.dtypes import DType, as_dtype
from tapejax.engine.explain import report as explain
from tapejax.engine.flush import set_error_translator
from tapejax.engine.stream import sync
from tapejax.function.spec import TensorSpec, TypeSpec
from tapejax.module import Module, name_scope
from tapejax.ops import families, registry
from tapejax.shape import TensorShape
from tapejax.tensor import Tensor
from tapejax.variable import Variable

__version__ = version.VERSION
newaxis = None
set_error_translator(registry.translate)

globals().update({name: getattr(dtypes, name) for name in dtypes.__all__
                  if isinstance(getattr(dtypes, name), DType)})
globals().update(registry.namespace(""))

__all__ = [
    "DType", "GradientTape", "IndexedSlices", "Module", "Tensor", "TensorShape", "TensorSpec", "TypeSpec",
    "UnconnectedGradients", "Variable", "as_dtype", "config", "constant", "convert_to_tensor", "custom_gradient",
    "dtypes", "errors", "explain", "grad_pass_through", "install_as_tensorflow", "name_scope", "nest", "newaxis",
    "register_tensor_conversion_function", "sync", "version",
]

_LAZY = {name: f"tapejax.{name}" for name in ("keras", "math", "nn", "linalg", "random", "test", "cli", "compat")}
_LAZY |= {name: f"tapejax.{name}" for name in "autograph debugging strings image signal bitwise io audio train".split()}
_LAZY |= {name: f"tapejax.signal:{name}" for name in ("fftnd", "ifftnd", "rfftnd", "irfftnd")}
_LAZY["to_jax"] = "tapejax.function.to_jax:to_jax"
_LAZY |= {"losses": "tapejax.keras.losses", "optimizers": "tapejax.keras.optimizers",
          "initializers": "tapejax.keras.initializers"}
_LAZY |= {f"{name}_initializer": f"tapejax.keras.initializers:{cls}" for name, cls in {
    "zeros": "Zeros", "ones": "Ones", "constant": "Constant", "random_normal": "RandomNormal",
    "random_uniform": "RandomUniform"}.items()}
_LAZY |= {name: f"tapejax.linalg:{name}" for name in ("eig", "eigvals")}
_LAZY |= {"sparse": "tapejax.sparse", "ragged": "tapejax.ragged"}
_LAZY |= {name: f"tapejax.{name[:6].lower()}:{name}" for name in (
    "SparseTensor", "SparseTensorSpec", "RaggedTensor", "RaggedTensorSpec")}
_LAZY |= {name: f"tapejax.autodiff.{file}:{name}" for name, file in {
    "from_jax": "from_jax", "recompute_grad": "recompute", "gradients": "graph_gradients",
    "hessians": "graph_gradients"}.items()}
_LAZY |= {name: f"tapejax.ops.{file}:{name}" for file, found in {
    "partition": "bitcast dynamic_partition dynamic_stitch guarantee_const inside_function is_symbolic_tensor "
                 "reverse_sequence timestamp",
    "string_numbers": "as_string", "strings": "fingerprint",
    "guards": "Assert", "assertions": "assert_equal assert_greater assert_less", "type_checks": "assert_rank",
    "histograms": "histogram_fixed_width histogram_fixed_width_bins",
    "sorting": "argsort searchsorted sort unique unique_with_counts unravel_index",
    "space": "batch_to_space extract_volume_patches space_to_batch space_to_batch_nd",
}.items() for name in found.split()}
_LAZY |= {name: f"tapejax.{name}" for name in ("experimental", "lookup", "sets", "types")}
_LAZY |= {name: f"tapejax.variable_kinds:{name}" for name in ("VariableAggregation", "VariableSynchronization")}
_LAZY |= {"broadcast_static_shape": "tapejax.shape:broadcast_static_shape", "tuple": "tapejax.ops.partition:tuple_"}
_LAZY |= {name: f"tapejax.type_specs:{name}" for name in ("IndexedSlicesSpec", "type_spec_from_value")}
_LAZY |= {name: f"tapejax.ops.io_tensor:{name}" for name in ("make_ndarray", "make_tensor_proto")}
_LAZY["edit_distance"] = "tapejax.ops.edit_distance:edit_distance"
__getattr__ = missing.module_getattr(__name__, globals(), lazy=_LAZY)
