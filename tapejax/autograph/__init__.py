"""`tf.autograph`: what AutoGraph makes of Python code, and how to steer it.

Mirrors https://www.tensorflow.org/api_docs/python/tf/autograph. Conversion needs the extra: ``pip install
'tapejax[autograph]'``.
"""

from tapejax import missing
from tapejax.autograph import experimental
from tapejax.function.autograph import set_verbosity, to_code, to_graph, trace

__all__ = ["experimental", "set_verbosity", "to_code", "to_graph", "trace"]

__getattr__ = missing.module_getattr(__name__, globals())
