"""The error text for a missing public name: similar names that exist, or what to write instead."""

import difflib

_PACKAGE = __name__.partition(".")[0]
# Advice for names that tapejax leaves out on purpose. A key stands for the name itself and for all names below it;
# where several keys apply, the longest one decides.
WAYS = {
    "tf.app": "Use absl.app and absl.flags, or argparse.", "tf.flags": "Use absl.flags or argparse.",
    "tf.contrib": "It left TensorFlow in version 2.", "tf.estimator": "Write a loop, or use tf.keras.Model.fit.",
    "tf.feature_column": "Use tf.keras.layers for preprocessing.", "tf.gfile": "Use tf.io.gfile.",
    "tf.layers": "Use tf.keras.layers.", "tf.lite": "Export with jax.export, or save weights and convert elsewhere.",
    "tf.logging": "Use tf.compat.v1.logging or Python's logging.", "tf.placeholder": "Pass values to functions.",
    "tf.Session": "Call functions: operations run at once.", "tf.get_variable": "Use tf.Variable.",
    "tf.distribute": "On one device leave the strategy out; on many use jax.sharding.",
    "tf.tpu": "Leave it out: JAX finds TPUs itself.", "tf.train.AdamOptimizer": "Use tf.keras.optimizers.Adam.",
    "tf.train.GradientDescentOptimizer": "Use tf.keras.optimizers.SGD.",
    "tf.train.RMSPropOptimizer": "Use tf.keras.optimizers.RMSprop.",
    "tf.train.Saver": "Use tf.train.Checkpoint.", "tf.app.run": "Call the function.",
    "tf.gradients": "Use tf.GradientTape.", "tf.ConfigProto": "Use tf.config.",
    "tf.Graph": "There are no graphs to build by hand: use tf.function.",
    "tf.Operation": "Operations are not objects here: they are recorded, and compiled together.",
    "tf.import_graph_def": "Graphs of TensorFlow cannot run on JAX: load the weights, and write the model as code.",
    "tf.graph_util": "Graphs of TensorFlow cannot run on JAX: load the weights, and write the model as code.",
    "tf.mlir": "Ask XLA: tf.function(...).experimental_get_compiler_ir.",
    "tf.RegisterGradient": "Operations have no names to register gradients for: use tf.custom_gradient.",
    "tf.no_gradient": "Operations have no names to register gradients for: use tf.stop_gradient.",
    "tf.load_op_library": "Libraries of TensorFlow kernels cannot run on JAX: write the op with jax, or "
                          "tf.numpy_function.",
    "tf.sysconfig": "It tells how to compile kernels for TensorFlow, which cannot run on JAX.",
    "tf.variable_creator_scope": "Make the variables by a function of your own.",
    "tf.queue": "Use queue.Queue, or a Python generator.", "tf.train.Coordinator": "Use threading.Event.",
    "tf.CriticalSection": "Use threading.Lock: Python code runs one operation after another.",
    "tf.config.experimental_connect_to_cluster": "Use jax.distributed.initialize.",
    "tf.config.experimental.disable_mlir_bridge": "Leave it out: XLA compiles everything.",
    "tf.train.ClusterSpec": "Use jax.distributed.initialize.",
    "tf.types.experimental.distributed": "Use jax.sharding.",
    "tf.experimental.dtensor": "Use jax.sharding and jax.shard_map.",
    "tf.experimental.tensorrt": "Export with jax.export.",
    "tf.xla.experimental": "XLA compiles everything: leave it out.",
    "tf.experimental.ExtensionType": "Use a dataclass of tensors, or a NamedTuple.",
    "tf.experimental.BatchableExtensionType": "Use a dataclass of tensors, or a NamedTuple.",
    "tf.experimental.register_filesystem_plugin": "Use fsspec and local files.",
    "tf.experimental.numpy.experimental_enable_numpy_behavior":
        "Tensors keep TensorFlow's dtype rules: convert with tf.cast, and use tf.experimental.numpy's functions.",
    "tf.test.Benchmark": "Use timeit, and read a value to wait for the computation.",
    "tf.test.benchmark_config": "Use timeit, and read a value to wait for the computation.",
    "tf.test.assert_equal_graph_def": "There are no graphs to compare.",
}  # fmt: skip


def explain(module: str, attribute: str, existing: list[str]) -> str:
    """The text of the AttributeError for a name that a module does not have.

    Args:
      module: the module's name, such as "tapejax.nn".
      attribute: the name that was asked for.
      existing: the names that the module has, among which similar ones are looked for.


    >>> print(explain("tapejax.nn", "relu7", ["relu", "relu6", "softmax"]))
    module 'tapejax.nn' has no attribute 'relu7': tf.nn.relu7 is not supported yet. Nearest that exist: \
tf.nn.relu, tf.nn.relu6
    """
    prefix = spelling(module)
    if (known := way(f"{prefix}.{attribute}")) is not None:
        return f"module {module!r} has no attribute {attribute!r}: {prefix}.{attribute} is not supported. {known}"
    near = nearest(attribute, existing)
    hint = f" Nearest that exist: {', '.join(f'{prefix}.{n}' for n in near)}" if near else ""
    missing = f"module {module!r} has no attribute {attribute!r}"
    return f"{missing}: {prefix}.{attribute} is not supported yet.{hint}"


def way(symbol: str) -> str | None:
    """What to write instead of a symbol that tapejax leaves out on purpose, or None for any other symbol.

    >>> way("tf.Session.run")
    'Call functions: operations run at once.'
    """
    fitting = [prefix for prefix in WAYS if symbol == prefix or symbol.startswith(prefix + ".")]
    return WAYS[max(fitting, key=len)] if fitting else None


def nearest(attribute: str, existing: list[str]) -> list[str]:
    """Up to three names in `existing` that are spelled most like `attribute`. Upper and lower case count as equal.

    >>> nearest("crossentropy", ["CrossEntropy", "relu"])
    ['CrossEntropy']
    """
    folded: dict[str, list[str]] = {}
    for candidate in existing:
        folded.setdefault(candidate.lower(), []).append(candidate)
    close = difflib.get_close_matches(attribute.lower(), folded, n=3, cutoff=0.6)
    return [candidate for key in close for candidate in folded[key]][:3]


def spelling(module: str) -> str:
    """How a user writes a tapejax module: `tapejax.nn` is `tf.nn`.

    >>> spelling("tapejax"), spelling("tapejax.keras.layers"), spelling("optax")
    ('tf', 'tf.keras.layers', 'optax')
    """
    head, dot, tail = module.partition(".")
    return f"tf{dot}{tail}" if head == _PACKAGE else module
