"""The messages of `tf.train.Example`, which are read and written in TensorFlow's wire format."""

from tapejax._src.ops.io.message import Message, as_bytes, as_float, as_int64

__all__ = ["BytesList", "Example", "Feature", "FeatureList", "FeatureLists", "Features", "FloatList", "Int64List",
           "SequenceExample"]  # fmt: skip


class BytesList(Message):
    """A list of bytes: ``BytesList(value=[b"a"])``.

    Source: https://www.tensorflow.org/api_docs/python/tf/train/BytesList
    """

    FIELDS = {"value": (1, as_bytes)}


class FloatList(Message):
    """A list of float32 numbers: ``FloatList(value=[1.0])``.

    Source: https://www.tensorflow.org/api_docs/python/tf/train/FloatList
    """

    FIELDS = {"value": (1, as_float)}


class Int64List(Message):
    """A list of int64 numbers: ``Int64List(value=[1])``.

    Source: https://www.tensorflow.org/api_docs/python/tf/train/Int64List
    """

    FIELDS = {"value": (1, as_int64)}


class Feature(Message):
    """A feature: one of a `BytesList`, a `FloatList` and an `Int64List`.

    Source: https://www.tensorflow.org/api_docs/python/tf/train/Feature

    >>> Feature(int64_list=Int64List(value=[3])).WhichOneof("kind")
    'int64_list'
    """

    FIELDS = {"bytes_list": (1, BytesList), "float_list": (2, FloatList), "int64_list": (3, Int64List)}
    ONE_OF = "kind"


class Features(Message):
    """A map from names to features: ``Features(feature={"label": Feature(...)})``.

    Source: https://www.tensorflow.org/api_docs/python/tf/train/Features
    """

    FIELDS = {"feature": (1, (Feature,))}


class Example(Message):
    """A set of named features, which is usually one record of a training set.

    Source: https://www.tensorflow.org/api_docs/python/tf/train/Example

    >>> example = Example()
    >>> example.features.feature["label"].int64_list.value.append(3)
    >>> Example.FromString(example.SerializeToString()).features.feature["label"].int64_list.value
    [3]
    """

    FIELDS = {"features": (1, Features)}


class FeatureList(Message):
    """A sequence of features: ``FeatureList(feature=[Feature(...), ...])``.

    Source: https://www.tensorflow.org/api_docs/python/tf/train/FeatureList
    """

    FIELDS = {"feature": (1, [Feature])}


class FeatureLists(Message):
    """A map from names to feature lists.

    Source: https://www.tensorflow.org/api_docs/python/tf/train/FeatureLists
    """

    FIELDS = {"feature_list": (1, (FeatureList,))}


class SequenceExample(Message):
    """An example with sequences: named features (`context`), and named lists of features (`feature_lists`).

    Source: https://www.tensorflow.org/api_docs/python/tf/train/SequenceExample
    """

    FIELDS = {"context": (1, Features), "feature_lists": (2, FeatureLists)}
