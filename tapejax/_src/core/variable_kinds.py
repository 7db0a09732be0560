"""Enumerations for `tf.Variable`: how copies of a variable on several devices are synchronized and aggregated.

A tapejax variable has one copy, so these settings change nothing.
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
    """How updates from several copies of a variable are combined.

    Source: https://www.tensorflow.org/api_docs/python/tf/VariableAggregation

    >>> VariableAggregation.MEAN.value
    2
    """

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3
