"""Versions, of the TensorFlow API that is followed and of tapejax itself; also the namespace `tf.version`."""

VERSION = "2.21.0"
"""The TensorFlow release whose API and results tapejax follows (`tf.version.VERSION`, `tf.__version__`)."""

TAPEJAX_VERSION = "0.1.0"
"""tapejax's own version. The build reads it from here: this line is the only place that states it."""

GIT_VERSION = f"tapejax-{TAPEJAX_VERSION}"
"""What was built (`tf.version.GIT_VERSION`)."""
