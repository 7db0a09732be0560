"""The public namespaces: written from the source, seen by type checkers, and free of names that TensorFlow lacks."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tapejax
from tapejax._src import facades
from tapejax._src.namespaces import NAMESPACES

# What tapejax has beyond TensorFlow, and why.
OWN = {
    "": {
        "explain": "says what was compiled, and why",
        "sync": "runs what is pending",
        "to_jax": "a function for JAX's transformations",
        "from_jax": "a function made of JAX",
        "install_as_tensorflow": "makes `import tensorflow` give tapejax",
    },
    "config": {"keep_memory": "the C library's memory, for training on CPUs"},
    "errors": {"UnsupportedError": "what tapejax raises for what it lacks"},
    "keras.optimizers": {
        "from_optax": "an optimizer made of an optax transformation",
        "experimental": "Keras 2's name",
    },
    "keras.layers": {"experimental": "Keras 2's name"},
    "keras.losses": dict.fromkeys(
        [
            "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
            "mean_squared_logarithmic_error",
        ],
        "Keras 2's name",
    ),
    "test": {"get_temp_dir": "TensorFlow 1's name: `tf.compat.v1.test` shows this namespace"},
    "version": {"TAPEJAX_VERSION": "tapejax's own version beside the one of TensorFlow"},
}  # fmt: skip
# Written by hand, since they look their names up in other namespaces.
VIEWS = {
    "tapejax.compat.v1",
    "tapejax.keras.layers.experimental",
    "tapejax.keras.optimizers.experimental",
    "tapejax.keras.optimizers.legacy",
}
# As a user writes it. Each line that a type checker must refuse says why.
USER = """
import tapejax as tf
from tapejax.keras import layers

x = tf.constant([[1.0, 2.0]])
reveal_type(tf.reduce_sum)
reveal_type(tf.sin)
reveal_type(tf.add)
reveal_type(tf.nn.conv2d)
reveal_type(tf.math.segment_sum)
reveal_type(tf.concat)
reveal_type(tf.Variable(1.0) + 1)
reveal_type(tf.keras.layers.Dense)
reveal_type(layers.Dense)
reveal_type(tf.keras.optimizers.Adam)
with tf.GradientTape() as tape:
    tape.watch(x)
    y = tf.reduce_sum(tf.nn.relu(x), axis=0, keepdims=True)
reveal_type(tape)
dense = tf.keras.layers.Dense(3, activation="relu")
dense(x)
tf.add(x, y=x, name="sum")
tf.nn.conv2d(tf.ones([1, 4, 4, 1]), tf.ones([2, 2, 1, 1]), strides=1, padding="SAME")
tf.reduce_sun(x)  # a misspelt name
tf.reduce_sum(x, axes=0)  # a wrong keyword
"""
REVEALED = {
    "tf.reduce_sum": "(input_tensor: Any, axis: Any = None, keepdims: bool = False,",
    "tf.sin": "Unary",
    "tf.add": "Binary",
    "tf.nn.conv2d": "(input: Any, filters: Any, strides: ",
    "tf.concat": "(values: Any, axis: ",
    "tf.Variable(1) + 1": "Tensor",
    "tf.keras.layers.Dense": "type[Dense]",
    "layers.Dense": "type[Dense]",
    "tf.keras.optimizers.Adam": "type[Adam]",
    "tape": "GradientTape",
}


def test_the_namespaces_are_what_the_source_says() -> None:
    wrong = [
        str(path.relative_to(facades.ROOT))
        for path, text in facades.files().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    assert not wrong, "run: python -m tapejax._src.facades"


def test_no_other_file_lies_among_the_namespaces() -> None:
    root = Path(tapejax.__file__).parent
    by_hand = [root / name for name in ("__main__.py", "compare.py", "compat/v1.py", "compat/v1.pyi")]
    known = {*facades.files(), *by_hand}
    found = {p for kind in ("*.py", "*.pyi") for p in root.rglob(kind) if not {"_src", "cli"} & set(p.parts)}
    assert found - known == set()


def test_a_type_checker_knows_the_names_and_their_parameters(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    file = tmp_path / "user.py"
    file.write_text(USER)
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", str(file)]
    # In the folder of the file, where there is no pyproject.toml.
    report = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout)
    found = report["generalDiagnostics"]
    lines = USER.splitlines()
    errors = [d for d in found if d["severity"] != "information"]
    wrong = {(lines[d["range"]["start"]["line"]].partition("(")[0], d["rule"]) for d in errors}
    assert wrong == {("tf.reduce_sun", "reportAttributeAccessIssue"), ("tf.reduce_sum", "reportCallIssue")}, report
    types = dict(_revealed(d["message"]) for d in found if d["severity"] == "information")
    for name, text in REVEALED.items():
        assert text in types[name], f"{name}: {types[name]}"
    assert not [name for name, text in types.items() if text in ("Any", "Unknown")]


def _revealed(message: str) -> tuple[str, str]:
    """The expression and the type of ``Type of "x" is "int"``."""
    name, _, kind = message.removeprefix('Type of "').partition('" is "')
    return name, kind.removesuffix('"')


@pytest.mark.parametrize("namespace", NAMESPACES, ids=lambda n: n or "tf")
def test_every_name_is_tensorflows_or_declared(namespace: str, tf: Any) -> None:
    real = tf
    for part in namespace.split(".") if namespace else []:
        real = getattr(real, part)
    assert set(dir(_namespace(namespace))) - set(dir(real)) == set(OWN.get(namespace, {}))


@pytest.mark.parametrize("namespace", NAMESPACES, ids=lambda n: n or "tf")
def test_no_implementation_module_is_seen(namespace: str) -> None:
    known = {_namespace(n).__name__ for n in NAMESPACES} | VIEWS
    held = _namespace(namespace)
    modules = {n: v.__name__ for n in dir(held) if isinstance(v := getattr(held, n), ModuleType)}
    assert {n: path for n, path in modules.items() if path not in known} == {}


def _namespace(name: str) -> ModuleType:
    return importlib.import_module(f"tapejax.{name}".rstrip("."))
