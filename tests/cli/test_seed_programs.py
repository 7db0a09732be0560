"""The three programs that the project began with: unmodified through `tapejax run`, in this process, renamed.

`tests/programs/` holds them word for word, with `import tensorflow as tf`.
"""

import contextlib
import io
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapejax

PROGRAMS = {n: Path(__file__).parents[1] / "programs" / f"seed_example_{n}.py" for n in (1, 2, 3)}
# z = x**2 + y*x - 3*y at x = 3, y = 2: dz/dx = 2*x + y and dz/dy = x - 3.
EXAMPLE_1 = "Gradient of z with respect to x: 8.0\nGradient of z with respect to y: 0.0\n"
NUMBER = r"-?\d+\.?\d*(?:e[-+]\d+)?"


@contextlib.contextmanager
def without(*roots: str) -> Iterator[None]:
    """Hides imported packages for a while: other tests of this process may use real TensorFlow."""
    taken = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in roots}
    for name in taken:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(taken)


def by_command(path: Path, folder: Path) -> str:
    """What `tapejax run` prints for the unmodified file, in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "TAPEJAX_"))}
    environment |= {"XDG_CACHE_HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-m", "tapejax", "run", str(path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def in_process(path: Path, folder: Path) -> tuple[str, dict[str, Any]]:
    """Output and variables of the unmodified file, run here where `import tensorflow` gives tapejax."""
    out = io.StringIO()
    with without("tensorflow", "keras"):
        alias = tapejax.install_as_tensorflow()
        try:
            with contextlib.redirect_stdout(out):
                names = runpy.run_path(str(path), run_name="__main__")
        finally:
            alias.uninstall()
    return out.getvalue(), names


def renamed(path: Path, folder: Path) -> tuple[str, dict[str, Any]]:
    """The same of a copy with `import tapejax as tf`, and nothing else changed."""
    text = path.read_text()
    assert text.count("import tensorflow as tf\n") == 1
    copy = folder / path.name
    copy.write_text(text.replace("import tensorflow as tf\n", "import tapejax as tf\n"))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        names = runpy.run_path(str(copy), run_name="__main__")
    return out.getvalue(), names


in_this_process = pytest.mark.parametrize("run", [in_process, renamed])


def test_example_1_by_the_command(tmp_path):
    assert by_command(PROGRAMS[1], tmp_path) == EXAMPLE_1


def test_example_2_by_the_command(tmp_path):
    check_three_printed_gradients(by_command(PROGRAMS[2], tmp_path))


def test_example_3_by_the_command(tmp_path):
    printed = by_command(PROGRAMS[3], tmp_path)
    assert re.fullmatch(rf"Gradient of z with respect to x:\n \[({NUMBER} ?){{3}}\]\n", printed)
    assert set(re.findall(NUMBER, printed)) <= {"0.", "2."}


@in_this_process
def test_example_1_gives_the_hand_derived_gradients(run, tmp_path):
    printed, names = run(PROGRAMS[1], tmp_path)
    assert printed == EXAMPLE_1
    assert names["tf"] is tapejax
    assert [float(g) for g in names["gradients"]] == [8.0, 0.0]
    assert all(g.dtype == tapejax.float32 and g.shape == () for g in names["gradients"])


@in_this_process
def test_example_2_prints_three_gradients_and_moves_every_weight(run, tmp_path):
    printed, names = run(PROGRAMS[2], tmp_path)
    values = check_three_printed_gradients(printed)
    assert [tuple(g.shape) for g in names["gradients"]] == [(5, 10), (10,), (10, 2), (2,)]
    for g, text in zip(names["gradients"], values, strict=False):
        np.testing.assert_allclose(g.numpy().ravel(), text, rtol=1e-5, atol=1e-7)
    # The last bias starts at zero, and Adam's first step is its learning rate against the gradient's sign.
    bias = names["model"].trainable_variables[3].numpy()
    np.testing.assert_allclose(bias, -0.001 * np.sign(names["gradients"][3].numpy()), rtol=1e-3)


@in_this_process
def test_example_2_gives_the_gradients_of_backpropagation_by_hand(run, tmp_path):
    _, names = run(PROGRAMS[2], tmp_path)
    x, labels = (np.asarray(names[n], np.float64) for n in ("input_data", "labels"))
    found = [np.asarray(g, np.float64) for g in names["gradients"]]
    # The weights before the update: what Adam's first step took off, by its formula, put back.
    rate = 0.001 * (1 - 0.999) ** 0.5 / (1 - 0.9)
    k1, b1, k2, b2 = (
        np.asarray(v, np.float64) + rate * 0.1 * g / (np.sqrt(0.001 * g * g) + 1e-7)
        for v, g in zip(names["model"].trainable_variables, found, strict=True)
    )
    np.testing.assert_allclose([*b1, *b2], 0, atol=1e-7)
    h = np.maximum(x @ k1 + b1, 0)
    predictions = h @ k2 + b2
    np.testing.assert_allclose(names["predictions"].numpy(), predictions, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(float(names["loss"]), np.mean((predictions - labels) ** 2), rtol=1e-5)
    dp = 2 * (predictions - labels) / labels.size
    dh = (dp @ k2.T) * (h > 0)
    for g, by_hand in zip(found, [x.T @ dh, dh.sum(0), h.T @ dp, dp.sum(0)], strict=True):
        np.testing.assert_allclose(g, by_hand, rtol=1e-4, atol=1e-5)


@in_this_process
def test_example_3_gives_twice_the_step_function(run, tmp_path):
    for seed in range(4):
        tapejax.random.set_seed(seed)
        printed, names = run(PROGRAMS[3], tmp_path)
        expected = 2.0 * (names["x"].numpy() > 0)
        assert np.array_equal(names["gradients"].numpy(), expected)
        assert printed == f"Gradient of z with respect to x:\n {expected.astype(np.float32)}\n"


@pytest.mark.parametrize("number", [1, 3])
def test_the_printed_text_is_real_tensorflows(number, tf, tmp_path):
    # Example 2 draws its initial weights by Keras, whose stream of seeds is not TensorFlow's.
    tf.random.set_seed(7)
    expected = io.StringIO()
    with contextlib.redirect_stdout(expected):
        runpy.run_path(str(PROGRAMS[number]), run_name="__main__")
    tapejax.random.set_seed(7)
    printed, _ = in_process(PROGRAMS[number], tmp_path)
    assert printed == expected.getvalue()


def check_three_printed_gradients(printed: str) -> list[np.ndarray]:
    """Asserts TensorFlow's form and the shapes; returns the numbers."""
    found = re.findall(r"tf\.Tensor\(\n(.*?), shape=(\(.*?\)), dtype=float32\)\n", printed, re.DOTALL)
    found = found or re.findall(r"tf\.Tensor\((.*?), shape=(\(.*?\)), dtype=float32\)\n", printed, re.DOTALL)
    assert [shape for _, shape in found] == ["(5, 10)", "(10,)", "(10, 2)"]
    values = [np.array(re.findall(NUMBER, body), float) for body, _ in found]
    assert [v.size for v in values] == [50, 10, 20]
    assert all(np.isfinite(v).all() and v.any() for v in values)
    return values
