"""`tf.autograph.experimental.set_loop_options`, a call that gives options to the loop around it."""

from typing import Any

from tapejax._src.function.autograph.conversion import available

__all__ = ["set_loop_options"]

if available():
    # When malt rewrites a function, it looks for calls of this very function and removes them.
    from malt.lang.directives import set_loop_options
else:

    def set_loop_options(
        parallel_iterations: Any = None,
        swap_memory: Any = None,
        maximum_iterations: Any = None,
        shape_invariants: Any = None,
    ) -> None:
        """Sets options of the loop around the call. Without `diastatic-malt` it has no effect: loops run as Python.

        Args:
          parallel_iterations: of no effect.
          swap_memory: of no effect.
          maximum_iterations: the greatest number of iterations.
          shape_invariants: pairs (tensor, shape that it stays compatible with).

        Source: https://www.tensorflow.org/api_docs/python/tf/autograph/experimental/set_loop_options
        """
