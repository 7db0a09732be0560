"""Turns Keras objects into dictionaries of plain values, and back."""

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["deserialize", "serialize"]


def serialize(value: Any, module: str) -> dict[str, Any]:
    """Describes an object by a dictionary, from which `deserialize` makes the object again.

    Args:
      value: an object with a method `get_config`, or a named function.
      module: the public name of the module that the object belongs to, such as "keras.losses".

    Returns:
      A dictionary with the keys "module", "class_name", "config" and "registered_name".

    Raises:
      ValueError: `value` has no method `get_config` and is not a named function.

    >>> import tapejax as tf
    >>> serialize(tf.keras.losses.Hinge(), "keras.losses")["class_name"]
    'Hinge'
    """
    if hasattr(value, "get_config"):
        return {
            "module": module,
            "class_name": type(value).__name__,
            "config": value.get_config(),
            "registered_name": None,
        }
    if callable(value) and hasattr(value, "__name__"):
        return {
            "module": "builtins",
            "class_name": "function",
            "config": value.__name__,  # type: ignore[attr-defined]
            "registered_name": "function",
        }
    raise ValueError(
        f"Could not serialize `value`: expected an object with a method `get_config` or a function with a name. "
        f"Received: {value!r}"
    )


def deserialize(
    config: Any, known: Mapping[str, Callable], custom_objects: Mapping[str, Callable] | None = None
) -> Any:
    """Makes the object that a dictionary from `serialize` describes.

    Args:
      config: the dictionary.
      known: classes and functions by name.
      custom_objects: further ones, which take precedence over `known`.

    Returns:
      The object or function.

    Raises:
      ValueError: the class or function is neither in `known` nor in `custom_objects`.
      TypeError: `config` is not such a dictionary.
    """
    if not isinstance(config, Mapping) or "class_name" not in config:
        raise TypeError(f"Could not parse config: {config}")
    is_function = config["class_name"] == "function"
    name = config["config"] if is_function else config["class_name"]
    found = {**known, **(custom_objects or {})}.get(name)
    if found is None:
        raise ValueError(f"Unknown {'function' if is_function else 'class'} {name!r}. Pass it in `custom_objects`.")
    if is_function:
        return found
    options = config.get("config", {})
    return found.from_config(options) if hasattr(found, "from_config") else found(**options)  # type: ignore[attr-defined]
