"""The public names of `tf.keras.losses`, and `get`, which finds a loss by its name.

The losses are defined in `regression.py`, `probabilistic.py` and `structure.py` of this folder.
"""

from typing import Any

from tapejax._src.keras import serialization
from tapejax._src.keras.losses.base import Loss, Reduction
from tapejax._src.keras.losses.probabilistic import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from tapejax._src.keras.losses.regression import (
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    SquaredHinge,
    categorical_hinge,
    cosine_similarity,
    hinge,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    squared_hinge,
)
from tapejax._src.keras.losses.structure import CTC, Circle, Dice, Tversky, circle, ctc, dice, tversky

__all__ = [
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CTC", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy", "CategoricalHinge", "Circle", "CosineSimilarity", "Dice", "Hinge", "Huber",
    "KLDivergence", "LogCosh", "Loss", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Poisson", "Reduction", "SparseCategoricalCrossentropy", "SquaredHinge", "Tversky",
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "categorical_hinge", "circle", "cosine_similarity", "ctc", "deserialize",
    "dice", "get", "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "poisson", "serialize",
    "sparse_categorical_crossentropy", "squared_hinge", "tversky", "MSE", "mse", "MAE", "mae", "MAPE", "mape", "MSLE",
    "msle", "KLD", "kld", "kullback_leibler_divergence", "logcosh",
]  # fmt: skip

MSE = mse = mean_squared_error
MAE = mae = mean_absolute_error
MAPE = mape = mean_absolute_percentage_error
MSLE = msle = mean_squared_logarithmic_error
KLD = kld = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh
_BY_NAME = {n: globals()[n] for n in __all__ if n not in ("Reduction", "deserialize", "get", "serialize")}
# Keras accepts these as strings, but its module has no attributes of these names.
_BY_NAME |= {"bce": binary_crossentropy, "BCE": binary_crossentropy}


def serialize(loss: Any) -> dict[str, Any]:
    """Describes a loss object or function by a dictionary of plain values.

    >>> serialize(Huber(2.0))["config"]["delta"]
    2.0
    """
    return serialization.serialize(loss, "keras.losses")


def deserialize(name: Any, custom_objects: Any = None) -> Any:
    """Makes the loss object or function that a dictionary from `serialize` describes.

    Args:
      name: the dictionary.
      custom_objects: classes and functions by name, besides those of `tf.keras.losses`.

    Raises:
      ValueError: the dictionary names an unknown class or function.
      TypeError: `name` is not such a dictionary.

    >>> deserialize(serialize(Huber(2.0))).delta
    2.0
    """
    return serialization.deserialize(name, _BY_NAME, custom_objects)


def get(identifier: Any) -> Any:
    """Looks up or makes a loss.

    Args:
      identifier: a name; a class; a dictionary from `serialize`; a callable, which is returned as it is; or None, which
        gives None.

    Returns:
      A loss object or function.

    Raises:
      ValueError: `identifier` is an unknown name, or none of these.

    >>> get("mse") is mean_squared_error
    True
    """
    if identifier is None:
        return None
    found = _BY_NAME.get(identifier) if isinstance(identifier, str) else identifier
    if isinstance(found, dict):
        found = deserialize(found)
    if isinstance(found, type):
        found = found()
    if not callable(found):
        raise ValueError(f"Could not interpret loss identifier: {identifier}")
    return found
