"""The public names that are no ops: for each namespace, the files that define its names.

Ops and functions name their namespaces themselves, by `@op("math.exp", "exp")` and `@public(...)`. Everything else
that TensorFlow or Keras exposes (classes, dtypes, constants, whole modules) is listed here. `facades.py` makes the
public modules of both.

In a list of names, `public=own` says that the file calls it `own`, and `*` stands for the file's `__all__`.
"""

__all__ = ["ALIASES", "NAMESPACES", "STATE"]

_DTYPES = """DType as_dtype bfloat16 bool complex128 complex64 double float16 float32 float64 half int16 int32 int64
    int8 qint16 qint32 qint8 quint16 quint8 resource string uint16 uint32 uint64 uint8 variant"""

NAMESPACES: dict[str, tuple[str, dict[str, str]]] = {
    "": (
        "TensorFlow-2-style training code on JAX: ``import tapejax as tf``.\n\nOperations are recorded and compiled "
        "together when a value is needed; see `explain` for what was compiled.",
        {
            "autodiff.custom_gradient": "custom_gradient grad_pass_through",
            "autodiff.from_jax": "from_jax",
            "autodiff.graph_gradients": "gradients hessians",
            "autodiff.indexed_slices": "IndexedSlices",
            "autodiff.recompute": "recompute_grad",
            "autodiff.tape": "GradientTape UnconnectedGradients",
            "compat.aliases": "install_as_tensorflow",
            "composite.ragged.spec": "RaggedTensorSpec",
            "composite.ragged.tensor": "RaggedTensor",
            "composite.sparse.tensor": "SparseTensor SparseTensorSpec",
            "composite.type_specs": "IndexedSlicesSpec type_spec_from_value",
            "core.convert": "constant convert_to_tensor register_tensor_conversion_function",
            "core.dtypes": _DTYPES,
            "core.module": "Module name_scope",
            "core.shape": "TensorShape broadcast_static_shape",
            "core.specs": "TensorSpec TypeSpec",
            "core.tensor": "Tensor newaxis",
            "core.variable": "Variable",
            "core.variable_kinds": "VariableAggregation VariableSynchronization",
            "core.version": "__version__=VERSION",
            "engine.explain": "explain=report",
            "engine.stream": "sync",
            "function.tracing.to_jax": "to_jax",
            "keras.initializers": "constant_initializer=Constant ones_initializer=Ones zeros_initializer=Zeros "
            "random_normal_initializer=RandomNormal random_uniform_initializer=RandomUniform",
        },
    ),
    "audio": ("``tf.audio``: sounds from and to files.", {}),
    "autodiff": (
        "``tf.autodiff``: derivatives, backward and forward.",
        {"autodiff.forward": "ForwardAccumulator", "autodiff.tape": "GradientTape"},
    ),
    "autograph": (
        "``tf.autograph``: what AutoGraph makes of Python code, and how to steer it.\n\nConversion needs the "
        "extra: ``pip install 'tapejax[autograph]'``.",
        {"function.autograph.conversion": "set_verbosity to_code to_graph trace"},
    ),
    "autograph.experimental": (
        "``tf.autograph.experimental``: `do_not_convert`, and `set_loop_options` for the loop around it.",
        {"function.autograph.conversion": "do_not_convert", "function.autograph.directives": "set_loop_options"},
    ),
    "bitwise": ("``tf.bitwise``: integers bit by bit.", {}),
    "compat": (
        "``tf.compat``: text and bytes, dimensions; `v2` is tapejax itself, `v1` what TensorFlow 1's names still mean.",
        {"compat.compat": "*"},
    ),
    "config": (
        "``tf.config``: devices and settings. `tapejax.config.eager = True` runs each op by itself.",
        {
            "core.device_settings": "LogicalDevice LogicalDeviceConfiguration PhysicalDevice "
            "get_logical_device_configuration get_soft_device_placement get_visible_devices list_logical_devices "
            "list_physical_devices optimizer set_logical_device_configuration set_soft_device_placement "
            "set_visible_devices threading",
            "core.malloc": "keep_memory",
        },
    ),
    "config.experimental": (
        "``tf.config.experimental``: the older names of what has one in `tf.config`, and what has not.",
        {
            "core.device_settings": "VirtualDeviceConfiguration=LogicalDeviceConfiguration "
            "set_virtual_device_configuration=set_logical_device_configuration "
            "get_virtual_device_configuration=get_logical_device_configuration list_physical_devices "
            "list_logical_devices get_visible_devices set_visible_devices set_memory_growth get_memory_growth "
            "get_memory_info get_device_details enable_op_determinism enable_tensor_float_32_execution "
            "tensor_float_32_execution_enabled"
        },
    ),
    "debugging": (
        "``tf.debugging``: assertions, and switches that help to find what is wrong.",
        {"ops.debugging.settings": "*"},
    ),
    "dtypes": ("``tf.dtypes``: element types, and casts between them.", {"core.dtypes": f"{_DTYPES} QUANTIZED_DTYPES"}),
    "dtypes.experimental": (
        "``tf.dtypes.experimental``: narrow element types.",
        {
            "core.dtypes": "float4_e2m1fn float8_e4m3b11fnuz float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz "
            "int2 int4 uint2 uint4"
        },
    ),
    "errors": ("``tf.errors``: TensorFlow's error classes and their codes.", {"core.errors": "*"}),
    "experimental": ("``tf.experimental``: what of it exists here.", {"experimental.async_scope": "*"}),
    "experimental.numpy": (
        "``tf.experimental.numpy``: NumPy's functions on tensors, differentiable.",
        {"experimental.numpy": "*"},
    ),
    "image": ("``tf.image``: images as tensors.", {}),
    "io": ("``tf.io``: files, records, and what is stored in them.", {}),
    "io.gfile": ("``tf.io.gfile``: files and folders.", {"ops.io.gfile": "*"}),
    "keras": (
        "``tf.keras``: layers, models, losses and optimizers whose eager loop runs as one compiled program.",
        {
            "keras.layers.core": "Input",
            "keras.layers.layer": "KerasTensor Layer",
            "keras.losses.base": "Loss",
            "keras.models": "Model Sequential",
            "keras.optimizers.base": "Optimizer",
        },
    ),
    "keras.activations": ("``tf.keras.activations``.", {"keras.activations": "*"}),
    "keras.backend": (
        "``tf.keras.backend``: what of it is public.",
        {"keras.backend": "cast clear_session epsilon floatx get_uid", "keras.layers.layer": "is_keras_tensor"},
    ),
    "keras.initializers": ("``tf.keras.initializers``: starting values of weights.", {"keras.initializers": "*"}),
    "keras.layers": (
        "``tf.keras.layers``.",
        {
            "keras.layers.core": "Activation Dense Dropout Embedding Flatten Input InputLayer ReLU",
            "keras.layers.layer": "Layer",
            "keras.keras2": "experimental=experimental_layers",
        },
    ),
    "keras.losses": (
        "``tf.keras.losses``: functions and classes, and `get` for their names.",
        {"keras.losses.identifiers": "*"},
    ),
    "keras.models": ("``tf.keras.models``.", {"keras.models": "Model Sequential"}),
    "keras.optimizers": (
        "``tf.keras.optimizers``; `from_optax` makes one of an optax transformation.",
        {
            "keras.optimizers.basic": "*",
            "keras.keras2": "legacy=legacy_optimizers experimental=experimental_optimizers",
        },
    ),
    "keras.optimizers.schedules": (
        "``tf.keras.optimizers.schedules``: learning rates that change with the step.",
        {"keras.optimizers.schedules": "*"},
    ),
    "keras.utils": ("``tf.keras.utils``.", {"keras.utils": "set_random_seed to_categorical"}),
    "linalg": (
        "``tf.linalg``: matrices, decompositions, linear operators.",
        {
            "composite.linear_operators.base": "LinearOperator LinearOperatorAdjoint LinearOperatorInversion",
            "composite.linear_operators.combinations": "LinearOperatorBlockDiag LinearOperatorComposition "
            "LinearOperatorKronecker LinearOperatorLowRankUpdate",
            "composite.linear_operators.matrices": "LinearOperatorDiag LinearOperatorFullMatrix LinearOperatorIdentity "
            "LinearOperatorLowerTriangular LinearOperatorScaledIdentity LinearOperatorZeros",
        },
    ),
    "lookup": (
        "``tf.lookup``: tables from keys to values.",
        {
            "composite.lookup": "KeyValueTensorInitializer StaticHashTable StaticVocabularyTable TextFileIndex "
            "TextFileInitializer"
        },
    ),
    "lookup.experimental": (
        "``tf.lookup.experimental``: tables that can be changed.",
        {"composite.lookup": "DenseHashTable MutableHashTable"},
    ),
    "math": ("``tf.math``: arithmetic, functions of numbers, reductions.", {}),
    "math.special": ("``tf.math.special``: special functions.", {}),
    "nest": (
        "``tf.nest``: nested structures of lists, tuples and dictionaries.",
        {"core.nest": "assert_same_structure flatten is_nested map_structure pack_sequence_as"},
    ),
    "nn": ("``tf.nn``: the operations that neural networks are made of.", {}),
    "nn.experimental": ("``tf.nn.experimental``.", {}),
    "ragged": ("``tf.ragged``: tensors whose rows differ in length.", {}),
    "random": ("``tf.random``: TensorFlow's random numbers, bit for bit.", {}),
    "random.experimental": ("``tf.random.experimental``: generators, and keys that are split.", {}),
    "sets": ("``tf.sets``: operations on sets, the last dimension of a tensor.", {}),
    "signal": ("``tf.signal``: Fourier transforms, frames and windows.", {}),
    "sparse": (
        "``tf.sparse``: tensors that are mostly zero, as indices and values.",
        {"composite.sparse.tensor": "SparseTensor"},
    ),
    "strings": ("``tf.strings``: operations on tensors of strings.", {}),
    "test": (
        "``tf.test``: `TestCase` with the array asserts that TensorFlow tests use, and device queries.",
        {"compat.test": "*"},
    ),
    "train": (
        "``tf.train``: the messages that records hold, and averages of variables.",
        {
            "ops.io.example": "BytesList Example Feature FeatureList FeatureLists Features FloatList Int64List "
            "SequenceExample",
            "train.moving_averages": "ExponentialMovingAverage",
        },
    ),
    "types": ("``tf.types``: names for annotations.", {}),
    "types.experimental": (
        "``tf.types.experimental``: names for annotations.",
        {
            "function.types": "TensorLike Callable=Function GenericFunction=Function PolymorphicFunction=Function "
            "ConcreteFunction"
        },
    ),
    "version": (
        "``tf.version``: the TensorFlow release that tapejax follows, and tapejax's own.",
        {"core.version": "VERSION GIT_VERSION TAPEJAX_VERSION"},
    ),
}

STATE: dict[str, tuple[str, dict[str, str]]] = {
    "config": ("core.config:Settings", {"eager": "bool"}),
}
"""Namespaces with attributes that can be set: the class of the module, and the attributes with their types."""

ALIASES = {"initializers": "keras.initializers", "losses": "keras.losses", "optimizers": "keras.optimizers"}
"""Names of the top level that stand for another namespace."""
