"""`tf.autograph.experimental`: `do_not_convert`, and `set_loop_options` for the loop around it.

Mirrors https://www.tensorflow.org/api_docs/python/tf/autograph/experimental.
"""

from tapejax import missing
from tapejax.function.autograph import do_not_convert

__all__ = ["do_not_convert"]

# The conversion knows the directive by its identity.
__getattr__ = missing.module_getattr(__name__, globals(), lazy={
    "set_loop_options": "tapejax.function.autograph_directives:set_loop_options"})
