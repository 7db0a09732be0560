"""The version of the TensorFlow API that tapejax follows, and its own. Also the contents of `tf.version`."""

VERSION = "2.21.0"
"""The TensorFlow release whose API and results tapejax follows (`tf.version.VERSION`, `tf.__version__`)."""

TAPEJAX_VERSION = "0.1.0"
"""tapejax's own version. The build reads it from this line, which is the only place that states it."""

GIT_VERSION = f"tapejax-{TAPEJAX_VERSION}"
"""The name of the build (`tf.version.GIT_VERSION`)."""
