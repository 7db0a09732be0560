"""`tf.autograph.experimental.set_loop_options`."""

from typing import Any

from tapejax._src.function.autograph.conversion import available

__all__ = ["set_loop_options"]

if available():
    # The one that the conversion looks for, and takes out of the code.
    from malt.lang.directives import set_loop_options
else:

    def set_loop_options(
        parallel_iterations: Any = None,
        swap_memory: Any = None,
        maximum_iterations: Any = None,
        shape_invariants: Any = None,
    ) -> None:
        """Options of the loop around it, without effect where loops run as Python.

        Source: https://www.tensorflow.org/api_docs/python/tf/autograph/experimental/set_loop_options
        """
