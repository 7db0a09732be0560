"""How a variable's copies on several devices are kept and joined: names for the arguments of `tf.Variable`.

With one copy, which is what tapejax has, they change nothing.
"""

import enum

__all__ = ["VariableAggregation", "VariableSynchronization"]


class VariableSynchronization(enum.Enum):
    """When the copies of a variable are made equal.

    Source: https://www.tensorflow.org/api_docs/python/tf/VariableSynchronization

    >>> VariableSynchronization.ON_READ.value
    3
    """

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """How the updates of the copies of a variable are joined.

    Source: https://www.tensorflow.org/api_docs/python/tf/VariableAggregation

    >>> VariableAggregation.MEAN.value
    2
    """

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3
