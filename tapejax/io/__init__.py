"""``tf.io``: files, records, and what is stored in them; see `tapejax/ops/io_*.py`."""

from tapejax import missing
from tapejax.io import gfile
from tapejax.ops import (
    io_decode,
    io_files,
    io_image_writing,
    io_images,
    io_parse,
    io_records,
    io_sequence,
    io_sparse,
    io_tensor,
    registry,
)

__all__ = ["gfile", "io_decode", "io_files", "io_image_writing", "io_images", "io_parse", "io_records",
           "io_sequence", "io_sparse", "io_tensor"]  # fmt: skip

globals().update(registry.namespace("io"))
__getattr__ = missing.module_getattr(__name__, globals())
