"""`import tensorflow` gives tapejax. In this process under an invented name, since real TensorFlow may be
loaded here; under its own name in processes of their own."""

import importlib
import importlib.util
import pickle
import subprocess
import sys
import textwrap
from types import ModuleType

import pytest

import tapejax
from tapejax._src.compat.aliases import ModuleAlias
from tapejax._src.core import missing


@pytest.fixture
def alias():
    with ModuleAlias({"flowtensor": "tapejax", "saker": "tapejax.keras"}) as installed:
        yield installed


def in_new_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("statement", "value", "expected"),
    [
        ("import flowtensor as tf", "tf", "tapejax"),
        ("import flowtensor.keras", "flowtensor.keras", "tapejax.keras"),
        ("import flowtensor.keras.layers as L", "L", "tapejax.keras.layers"),
        ("from flowtensor import keras", "keras", "tapejax.keras"),
        ("from flowtensor import constant, math", "math", "tapejax.math"),
        ("from flowtensor.keras import layers", "layers", "tapejax.keras.layers"),
        ("from flowtensor.keras.layers import Dense", "Dense", "tapejax.keras.layers.Dense"),
        ("from flowtensor.keras.models import Sequential", "Sequential", "tapejax.keras.Sequential"),
        ("import flowtensor.math", "flowtensor.math.exp", "tapejax.exp"),
        ("from flowtensor.nn import relu", "relu", "tapejax.nn.relu"),
        ("import saker", "saker", "tapejax.keras"),
        ("from saker import layers", "layers", "tapejax.keras.layers"),
        ("from saker.optimizers import Adam", "Adam", "tapejax.keras.optimizers.Adam"),
    ],
)
def test_every_spelling_of_an_import_gives_the_same_object(alias, statement, value, expected):
    scope = {"tapejax": tapejax}
    exec(statement, scope)
    assert eval(value, scope) is eval(expected, scope)


def test_the_module_keeps_its_own_name_and_spec(alias):
    name, spec, package = tapejax.math.__name__, tapejax.math.__spec__, tapejax.math.__package__
    imported = importlib.import_module("flowtensor.math")
    assert (imported.__name__, imported.__spec__, imported.__package__) == (name, spec, package)


def test_a_namespace_that_is_only_an_attribute_can_be_imported(alias, monkeypatch):
    outer, inner = ModuleType("tapejax.outer"), ModuleType("tapejax.outer.inner")
    outer.inner, inner.answer = inner, 42
    monkeypatch.setattr(tapejax, "outer", outer, raising=False)
    from flowtensor.outer.inner import answer  # pyright: ignore

    assert answer == 42
    assert sys.modules["flowtensor.outer"] is outer


def test_a_private_path_of_tensorflow_is_named_in_the_error(alias):
    with pytest.raises(ModuleNotFoundError, match=r"'flowtensor\.python\.no_such': it is internal to TensorF") as e:
        import flowtensor.python.no_such.ops  # noqa: F401
    assert e.value.name == "flowtensor.python.no_such"


@pytest.mark.parametrize(
    ("statement", "value", "expected"),
    [
        ("from flowtensor.python.framework import ops", "ops.convert_to_tensor", "tapejax.compat.v1.convert_to_tensor"),
        ("from flowtensor.python.ops.math_ops import reduce_sum as s", "s", "tapejax.reduce_sum"),
        ("from flowtensor.python.ops import array_ops", "array_ops.where_v2", "tapejax.where"),
        ("import flowtensor.python.ops.nn_ops as n", "n.relu", "tapejax.nn.relu"),
        ("from flowtensor.python.keras import backend as K", "K", "tapejax.keras.backend"),
        ("from flowtensor.python.keras.layers import Dense", "Dense", "tapejax.keras.layers.Dense"),
        ("from flowtensor.python.keras.engine.base_layer import Layer", "Layer", "tapejax.keras.layers.Layer"),
        ("from saker.engine.topology import Layer", "Layer", "tapejax.keras.layers.Layer"),
        ("from saker.layers.core import Dense", "Dense", "tapejax.keras.layers.Dense"),
        ("from flowtensor.python.eager.backprop import GradientTape", "GradientTape", "tapejax.GradientTape"),
        ("import flowtensor.compat.v2 as v2", "v2", "tapejax"),
        ("from flowtensor.compat.v1 import logging", "logging", "tapejax.compat.v1.logging"),
    ],
)
def test_internal_paths_that_have_a_meaning(alias, statement, value, expected):
    scope = {"tapejax": tapejax}
    exec(statement, scope)
    assert eval(value, scope) is eval(expected, {**scope, "tapejax": tapejax})


def test_a_view_leaves_the_packages_own_module_in_place():
    own = importlib.import_module("tapejax._src.keras.layers.core")
    with ModuleAlias({"flowtensor": "tapejax"}):
        view = importlib.import_module("flowtensor.keras.layers.core")
        assert view is not own and view.Dense is own.Dense
    assert tapejax._src.keras.layers.core is own
    assert not hasattr(tapejax, "python")


def test_a_missing_submodule_names_the_nearest(alias):
    with pytest.raises(ModuleNotFoundError, match=r"'flowtensor\.keras\.layerz'.*tf\.keras\.layers\b"):
        importlib.import_module("flowtensor.keras.layerz")


def test_a_missing_name_is_an_import_error_that_names_it(alias):
    with pytest.raises(ImportError, match="NoSuchLayer"):
        from flowtensor.keras.layers import NoSuchLayer  # noqa: F401


def test_a_function_or_a_foreign_module_is_not_a_submodule(alias, monkeypatch):
    with pytest.raises(ModuleNotFoundError, match=r"tf\.constant is no module; use it as an attribute"):
        importlib.import_module("flowtensor.constant")
    # A library that a namespace happens to import must not become `tensorflow.<library>`.
    monkeypatch.setattr(tapejax.math, "json", importlib.import_module("json"), raising=False)
    with pytest.raises(ModuleNotFoundError, match="flowtensor.math.json"):
        importlib.import_module("flowtensor.math.json")


def test_an_error_inside_a_lazy_namespace_is_not_taken_for_a_missing_name(alias, monkeypatch):
    class Broken(ModuleType):
        def __getattr__(self, name):
            raise AttributeError("no attribute 'inside'", name="inside")

    monkeypatch.setattr(tapejax, "broken", Broken("tapejax.broken"), raising=False)
    with pytest.raises(AttributeError, match="'inside'"):
        importlib.import_module("flowtensor.broken.child")


def test_find_spec_answers_without_running_anything_twice(alias):
    found = importlib.util.find_spec("flowtensor.keras")
    assert found is not None
    assert importlib.import_module("flowtensor.keras") is tapejax.keras


def test_pickles_do_not_depend_on_the_alias(alias):
    from flowtensor import TensorShape  # pyright: ignore

    stored = pickle.dumps(TensorShape([None, 3]))
    assert b"flowtensor" not in stored
    alias.uninstall()
    assert pickle.loads(stored).as_list() == [None, 3]


def test_uninstall_leaves_no_trace():
    before = set(sys.modules)
    packages = hasattr(tapejax.math, "__path__")
    alias = ModuleAlias({"flowtensor": "tapejax"}).install()
    importlib.import_module("flowtensor.math")
    assert alias.install() is alias
    assert sys.meta_path.count(alias) == 1
    alias.uninstall()
    alias.uninstall()
    assert not [name for name in sys.modules if name.startswith("flowtensor")]
    assert set(sys.modules) >= before
    assert hasattr(tapejax.math, "__path__") == packages
    with pytest.raises(ModuleNotFoundError, match="^No module named 'flowtensor'$"):
        importlib.import_module("flowtensor")


def test_a_name_that_is_taken_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "flowtensor", ModuleType("flowtensor"))
    alias = ModuleAlias({"flowtensor": "tapejax"})
    with pytest.raises(RuntimeError, match="'flowtensor' is already imported .* before the first `import"):
        alias.install()
    assert not alias.installed


def test_tensorflow_itself_under_its_own_name():
    """Also where the real one is installed: the alias comes first."""
    output = in_new_process("""
        import sys, tapejax
        assert tapejax.install_as_tensorflow() is tapejax.install_as_tensorflow()
        import tensorflow as tf
        import keras
        from tensorflow.keras.layers import Dense
        assert tf is tapejax and keras is tapejax.keras and Dense is tapejax.keras.layers.Dense
        assert tf.keras is keras
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = x * x
        print(float(tape.gradient(y, x)), tf.__version__)
        from tensorflow.python.ops import math_ops
        assert math_ops.reduce_sum is tf.reduce_sum
        try:
            from tensorflow.python.ops import gen_math_ops
        except ImportError as error:
            assert "gen_math_ops" in str(error)
        assert not [m for m in sys.modules if "pywrap" in m], "the real TensorFlow got in"
    """)
    assert output == "6.0 2.21.0\n"


def test_too_late_is_an_error():
    output = in_new_process("""
        import sys, types
        sys.modules["tensorflow"] = types.ModuleType("tensorflow")  # as if the real one were imported
        import tapejax
        try:
            tapejax.install_as_tensorflow()
        except RuntimeError as error:
            print(error)
    """)
    assert output.startswith("'tensorflow' is already imported")


class TestMissingNames:
    """`tapejax._src.core.missing`, which every namespace uses."""

    def test_an_unknown_name_is_named_with_the_nearest_that_exist(self):
        with pytest.raises(AttributeError) as e:
            tapejax.reduce_sun  # noqa: B018
        assert str(e.value).startswith(
            "module 'tapejax' has no attribute 'reduce_sun': tf.reduce_sun is not supported yet. Nearest "
        )
        assert "tf.reduce_sum" in str(e.value)
        assert e.value.name == "reduce_sun"

    def test_capital_letters_do_not_hide_a_name(self):
        assert missing.nearest("gradienttape", ["GradientTape", "Variable"]) == ["GradientTape"]

    def test_nothing_near_means_no_advice(self):
        text = missing.explain("tapejax", "qqqqqqq", ["constant"])
        assert text.endswith("tf.qqqqqqq is not supported yet.")

    def test_a_name_is_imported_at_first_use_and_kept(self):
        vars(tapejax.bitwise).pop("invert", None)
        found = tapejax.bitwise.invert
        assert found is importlib.import_module("tapejax._src.ops.math.bitwise").invert
        assert vars(tapejax.bitwise)["invert"] is found
        assert "invert" in dir(tapejax.bitwise)

    def test_hasattr_and_probes_by_python_are_quiet(self):
        assert not hasattr(tapejax, "no_such_thing")
        with pytest.raises(AttributeError, match="^module 'tapejax' has no attribute '__wrapped__'$"):
            tapejax.__wrapped__  # noqa: B018
