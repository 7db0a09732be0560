"""``tf.image``: the ops that are registered under this name; see `tapejax/ops/image_*.py`."""

from tapejax import missing
from tapejax.ops import (
    image_adjust,
    image_boxes,
    image_color,
    image_geometry,
    image_quality,
    image_random,
    image_resize,
    image_suppression,
    io_image_writing,
    io_images,
    registry,
    space,
)

__all__ = ["image_adjust", "image_boxes", "image_color", "image_geometry", "image_quality", "image_random",
           "image_resize", "image_suppression", "io_image_writing", "io_images", "space"]

globals().update(registry.namespace("image"))
__getattr__ = missing.module_getattr(__name__, globals())
