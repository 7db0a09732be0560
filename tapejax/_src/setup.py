"""What `import tapejax` needs at once: the operators of tensors and variables, and how errors are translated.

Everything else is imported when its name is first used.
"""

import os

from tapejax._src.autodiff import slice_ops, variable_slices
from tapejax._src.core import errors, translation
from tapejax._src.core.variable import Variable
from tapejax._src.engine import flush, memory, stream
from tapejax._src.ops import operators

__all__ = ["operators", "slice_ops", "variable_slices"]

operators.attach(Variable)
flush.set_error_translator(translation.translate)
memory.set_errors(
    lambda text: errors.ResourceExhaustedError(message=text), lambda text: errors.InvalidArgumentError(message=text)
)
if os.environ.get("TAPEJAX_EAGER", "0") not in ("", "0"):
    stream.set_eager(True)
