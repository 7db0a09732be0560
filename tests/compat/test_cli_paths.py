"""`tensorflow.python.*`, Keras 2's paths and `tf.compat.v1`: every name found there is what it is in TensorFlow."""

import importlib
import inspect
import logging
import types

import pytest

import tapejax
from tapejax._src.compat import internal_paths, v1

# Only the names of their arguments differ, or arguments of no use in eager mode that are refused.
SAME_BY_POSITION = (
    "Iterator",
    "argmax",
    "argmin",
    "copy",
    "device",
    "ensure_shape",
    "ones_like",
    "rename",
    "stat",
    "walk",
    "zeros_like",
)


def unwrapped(value):
    from tensorflow.python.util import tf_decorator

    try:
        return tf_decorator.unwrap(value)[1]
    except Exception:  # a constant
        return value


def parameters(function):
    try:
        function = function.__init__ if isinstance(function, type) else function
        return [p for p in inspect.signature(unwrapped(function)).parameters if p not in ("name", "self")]
    except (TypeError, ValueError):
        return None


def same(theirs, public):
    """Whether TensorFlow's internal object is its public one, or takes the same arguments first."""
    if unwrapped(theirs) is unwrapped(public):
        return True
    mine, other = parameters(theirs), parameters(public)
    return mine is not None and other is not None and mine[: len(other)] == other


def public_object(tf, spaces, name):
    """What TensorFlow itself has under the public name by which the view found its own."""
    for space in spaces:
        for spelled in (name, name.removesuffix("_v2")):
            namespace = tf
            for part in space.split(".")[1:]:
                namespace = getattr(namespace, part, None)
            if namespace is not None and hasattr(namespace, spelled):
                return getattr(namespace, spelled)
    return None


@pytest.mark.parametrize("path", [p for p in internal_paths._SPACES if internal_paths._SPACES[p]])
def test_internal_names_mean_what_they_mean_in_tensorflow(tf, path):
    theirs = importlib.import_module(f"tensorflow.python.{path}" if path else "tensorflow.python")
    view = internal_paths.find(f"python.{path}" if path else "python")
    wrong = []
    for name in dir(theirs):
        value = getattr(theirs, name)
        if name.startswith("_") or isinstance(value, types.ModuleType) or name in view._names:
            continue
        try:
            getattr(view, name)
        except AttributeError:
            continue
        public = public_object(tf, view._spaces, name)
        # A name without a public one (float8 types) is the same constant wherever tapejax has it.
        if public is not None and name not in SAME_BY_POSITION and not same(value, public):
            wrong.append((name, parameters(value), parameters(public)))
    assert wrong == []


def test_every_internal_path_exists_in_tensorflow(tf):
    for path in internal_paths._SPACES:
        importlib.import_module(f"tensorflow.python.{path}" if path else "tensorflow.python")


@pytest.mark.parametrize("space", sorted(v1.REFUSED))
def test_names_of_tensorflow_1_mean_what_they_mean_in_eager_tensorflow_2(tf, space):
    theirs, public, view = tf.compat.v1, tf, v1
    for part in space.split(".") if space else ():
        theirs, public = getattr(theirs, part), getattr(public, part)
        try:
            view = getattr(view, part)
        except AttributeError as error:
            assert "not supported" in str(error)  # noqa: PT017 - the whole namespace is missing still
            return
    wrong = []
    for name in dir(theirs):
        value = getattr(theirs, name)
        if name.startswith("_") or isinstance(value, types.ModuleType) or name in vars(v1):
            continue
        try:
            getattr(view, name)
        except AttributeError:
            continue
        full = f"{space}.{name}" if space else v1._RENAMED.get(name, name)
        namespace, _, last = f"tf.{full}".rpartition(".")
        other = public_object(tf, [namespace], last)
        if (
            name not in v1._CASTS
            and name != "gfile"
            and other is not None
            and name not in SAME_BY_POSITION
            and not same(value, other)
        ):
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize(
    "name", ["Session", "placeholder", "get_variable", "flags", "app", "Variable", "layers", "nothing"]
)
def test_the_rest_of_tensorflow_1_is_missing_and_says_why(name):
    with pytest.raises(AttributeError, match=rf"tf\.compat\.v1\.{name} "):
        getattr(v1, name)


def test_what_switches_eager_mode_on_is_accepted_and_off_refused():
    assert v1.enable_eager_execution() is v1.enable_v2_behavior() is v1.global_variables_initializer() is None
    assert v1.executing_eagerly_outside_functions() is True
    for switch in (v1.disable_eager_execution, v1.disable_v2_behavior):
        with pytest.raises(tapejax.errors.UnsupportedError, match="no graphs and sessions"):
            switch()


def test_old_functions_give_tensorflows_values(tf):
    for name, value in (("to_float", 3), ("to_int32", 3.7), ("log", 2.0), ("div_no_nan", None)):
        arguments = (1.0, 0.0) if value is None else (value,)
        theirs, ours = getattr(tf.compat.v1, name)(*arguments), getattr(v1, name)(*arguments)
        assert ours.dtype.name == theirs.dtype.name
        assert ours.numpy() == pytest.approx(theirs.numpy())
    for module in (tf, tapejax):
        variable = module.Variable(1.0)
        module.compat.v1.assign(variable, 3.0)
        module.compat.v1.assign_add(variable, 2.0)
        assert float(variable) == 5.0
        with module.compat.v1.name_scope(None, default_name="b") as scope:
            assert scope == "b/"


def test_old_positions_of_argmax_are_an_error_and_never_another_meaning():
    assert v1.argmax([1.0, 3.0], 0).numpy() == 1
    with pytest.raises(TypeError):
        v1.argmax([1.0, 3.0], 0, "the name was third")
    with pytest.raises(TypeError):
        v1.argmax([1.0, 3.0], dimension=0)


def test_logging_goes_to_pythons(caplog):
    v1.logging.set_verbosity(v1.logging.INFO)
    with caplog.at_level(logging.INFO, logger="tapejax"):
        v1.logging.info("%d steps", 3)
        v1.logging.debug("not shown")
    assert [r.getMessage() for r in caplog.records] == ["3 steps"]
    v1.logging.set_verbosity(v1.logging.WARN)
    assert v1.logging.get_verbosity() == v1.logging.WARN


def test_compat_converts_text_as_tensorflow_does(tf):
    for value in (b"a", "ä", bytearray(b"x")):
        assert tapejax.compat.as_bytes(value) == tf.compat.as_bytes(value)
    for value in (b"a", "ä"):
        assert tapejax.compat.as_str(value) == tf.compat.as_str(value)
    assert tapejax.compat.as_str_any(3) == tf.compat.as_str_any(3)
    for module in (tf, tapejax):
        with pytest.raises(TypeError, match="Expected binary or unicode string, got 3"):
            module.compat.as_bytes(3)
    assert tapejax.compat.integral_types == tf.compat.integral_types
    assert tapejax.compat.real_types == tf.compat.real_types
    assert tapejax.compat.v2 is tapejax


def test_what_stands_in_no_public_namespace():
    devices = internal_paths.find("python.client.device_lib").list_local_devices()
    assert devices[0].device_type == "CPU"
    cond = internal_paths.find("python.framework.smart_cond")
    assert cond.smart_cond(True, lambda: 1, lambda: 2) == 1
    assert cond.smart_cond(tapejax.constant(False), lambda: 1, lambda: 2) == 2
    with pytest.raises(TypeError):
        cond.smart_cond(True, 1, 2)
    average = internal_paths.find("python.training.moving_averages").assign_moving_average
    variable = tapejax.Variable(1.0)
    average(variable, 3.0, 0.5, zero_debias=False)
    assert float(variable) == 2.0
    with pytest.raises(tapejax.errors.UnsupportedError):
        average(variable, 3.0, 0.5)
    normalize = internal_paths.find("keras.utils.conv_utils").normalize_tuple
    assert normalize(3, 2, "size") == (3, 3)
    with pytest.raises(ValueError, match="`size`"):
        normalize((1, 2, 3), 2, "size")
