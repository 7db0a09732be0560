"""What classes answer about themselves where tapejax stands for TensorFlow.

Libraries that work with arrays of several frameworks (einops, autoray, eagerpy) ask ``type(x).__module__`` which
framework `x` belongs to. Where `import tensorflow` gives tapejax, the answer is TensorFlow's. Pickles of tensors,
variables, dtypes and shapes refer to functions of tapejax, so they can be read without the alias too.
"""

import importlib
from typing import Any

__all__ = ["answer_as_tensorflow", "answer_as_tapejax"]

_ANSWERS = {
    # The file and name of a class: TensorFlow's module, and the name of the class there.
    ("core.tensor", "Tensor"): ("framework.ops", "EagerTensor"),
    ("core.variable", "Variable"): ("ops.resource_variable_ops", "ResourceVariable"),
    ("core.dtypes", "DType"): ("framework.dtypes", "DType"),
    ("core.shape", "TensorShape"): ("framework.tensor_shape", "TensorShape"),
    ("core.specs", "TensorSpec"): ("framework.tensor", "TensorSpec"),
    ("core.module", "Module"): ("module.module", "Module"),
    ("autodiff.tape", "GradientTape"): ("eager.backprop", "GradientTape"),
    ("autodiff.indexed_slices", "IndexedSlices"): ("framework.indexed_slices", "IndexedSlices"),
    ("composite.ragged.tensor", "RaggedTensor"): ("ops.ragged.ragged_tensor", "RaggedTensor"),
    ("composite.sparse.tensor", "SparseTensor"): ("framework.sparse_tensor", "SparseTensor"),
}
_own: dict[type, tuple[str, str, str]] = {}
"""The classes that answer as TensorFlow's, with their own module, name and qualified name."""


def answer_as_tensorflow() -> None:
    """Gives the classes the modules and names that TensorFlow's have. A second call changes nothing."""
    if _own:
        return
    for (file, name), (module, other) in _ANSWERS.items():
        cls: Any = getattr(importlib.import_module(f"tapejax._src.{file}"), name)
        _own[cls] = (cls.__module__, cls.__name__, cls.__qualname__)
        cls.__module__, cls.__name__, cls.__qualname__ = f"tensorflow.python.{module}", other, other


def answer_as_tapejax() -> None:
    """Gives the classes their own modules and names back."""
    for cls, own in _own.items():
        cls.__module__, cls.__name__, cls.__qualname__ = own
    _own.clear()
