"""`tapejax check`: what it reports, and above all what it does not."""

import json
import textwrap

import pytest

from tapejax.cli import check as command
from tapejax.cli import main, source, symbols

HEAD = "import tensorflow as tf\nfrom tensorflow import keras\nfrom tensorflow.keras import layers\n"


@pytest.fixture
def found(tmp_path):
    """Checks a program; gives (line, kind, what) of each finding, lines counted after HEAD."""

    def run(code, head=HEAD):
        path = tmp_path / "program.py"
        path.write_text(head + textwrap.dedent(code).lstrip("\n"))
        result = command.check([str(path)])
        return [(f.line - head.count("\n"), f.kind, f.what) for f in result.findings]

    return run


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("tf.no_such(1)", "tf.no_such"),
        ("x = tf.math.no_such", "tf.math.no_such"),
        ("keras.layers.NoSuch(3)", "tf.keras.layers.NoSuch"),
        ("layers.NoSuch(3)", "tf.keras.layers.NoSuch"),
        ("L = tf.keras.layers\nL.NoSuch(3)", "tf.keras.layers.NoSuch"),
        ("k = keras; L = k.layers\ndef f():\n    return L.NoSuch(3)", "tf.keras.layers.NoSuch"),
        ("import tensorflow.keras.backend as K\nK.no_such(1)", "tf.keras.backend.no_such"),
        ("import tensorflow.keras as k2\nk2.no_such", "tf.keras.no_such"),
        ("import tensorflow.keras\ntensorflow.keras.no_such", "tf.keras.no_such"),
        ("from keras.layers import NoSuch", "tf.keras.layers.NoSuch"),
        ("from tensorflow.python.ops import gen_nn_ops", "tf.python.ops.gen_nn_ops"),
        ("from tensorflow.python.ops import math_ops\nmath_ops.no_such(1)", "tf.python.ops.math_ops.no_such"),
        ("import tensorflow.compat.v1 as v1\nv1.placeholder(1)", "tf.compat.v1.placeholder"),
        ("class M(tf.NoSuch):\n    pass", "tf.NoSuch"),
        ("@tf.no_such\ndef f():\n    pass", "tf.no_such"),
        ("def f(x: tf.NoSuch = None):\n    pass", "tf.NoSuch"),
        ("[tf.no_such(x) for x in y]", "tf.no_such"),
        ("tf.reduce_sum(x, no_such=1)", "tf.reduce_sum(no_such=)"),
        ("layers.Dense(3, no_such=1)", "tf.keras.layers.Dense(no_such=)"),
        ("from tensorflow.keras.layers import Dense as D\nD(3, no_such=1)", "tf.keras.layers.Dense(no_such=)"),
        ("from tensorflow.keras.layers import *\nDense(3, no_such=1)", "tf.keras.layers.Dense(no_such=)"),
        ("v = tf.Variable(1.0)\nv.no_such()", "tf.Variable().no_such"),
        ("v = tf.Variable(1.0)\nv.assign_add(1.0, no_such=1)", "tf.Variable().assign_add(no_such=)"),
        ("with tf.GradientTape() as tape:\n    pass\ntape.no_such(1)", "tf.GradientTape().no_such"),
        ("try:\n    import tensorflow as t\nexcept ImportError:\n    t = None\nt.no_such", "tf.no_such"),
        ("try:\n    tf.no_such()\nexcept ValueError:\n    pass", "tf.no_such"),
    ],
)  # fmt: skip
def test_what_is_missing_is_found_under_any_spelling(found, code, what):
    line = code.count("\n") + 1 if "pass" not in code or "tape" in code else None
    reports = [f for f in found(code) if f[1] == "missing"]
    assert [f[2] for f in reports] == [what]
    if line:
        assert reports[0][0] == line


@pytest.mark.parametrize(
    "code",
    [
        "tf.reduce_sum(x, axis=0, keepdims=True, name='s')",
        "layers.Dense(3, activation='relu', name='d', dtype='float32', trainable=False, use_bias=False)",
        "tf.Variable(1.0, trainable=True, name='v', dtype=tf.float32).assign_add(1.0)",
        "tf.float32.as_numpy_dtype; tf.constant(1.0).numpy().no_such; tf.newaxis; tf.__version__",
        "v = tf.Variable(1.0); v.assign_add(1.0); v.trainable; v.dtype.name",
        "def f(tf):\n    tf.no_such",
        "def f(x):\n    tf = x\n    return tf.no_such",
        "lambda layers: layers.NoSuch",
        "[layers.no_such for layers in x]",
        "for layers in x:\n    pass\nlayers.no_such",
        "tf.Variable = 3",
        "class A:\n    layers = 3\n    def f(self):\n        return layers.Dense(1)",
        "class layers:\n    no_such = 1\nlayers.no_such",
        "try:\n    tf.no_such\nexcept AttributeError:\n    pass",
        "try:\n    from tensorflow.no_such import x\nexcept (ImportError, KeyError):\n    x = None",
        "if hasattr(tf, 'no_such'):\n    tf.no_such()",
        "if tf.__version__ < '2':\n    tf.no_such()",
        "if int(tf.__version__.split('.')[0]) >= 2:\n    pass\nelse:\n    tf.no_such()",
        "if tf.__version__.startswith('1.'):\n    tf.no_such()",
        "if version.parse(tf.__version__) < version.parse('2.0'):\n    tf.no_such()",
        "if unknown(tf.__version__):\n    tf.no_such()",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    tf.no_such",
        "from .tensorflow import no_such",
        "from tensorflow.python.ops import math_ops, array_ops\nmath_ops.reduce_sum(array_ops.reshape(x, [1]))",
        "from tensorflow.python.keras.engine.base_layer import Layer\nfrom keras.layers.core import Dense",
        "import tensorflow.compat.v2 as tf2\ntf2.reduce_sum(x)",
        "import tensorflow.compat.v1 as v1\nv1.logging.set_verbosity(v1.logging.ERROR); v1.enable_v2_behavior()",
        "class M(keras.Model):\n    def call(self, x, training=None):\n        return self.no_such(x)",
        "opt = keras.optimizers.Adam(0.1) if x else other\nopt.no_such()",
        "global x\nx = tf\nx = 3\nx.no_such",
        "kwargs = {}\nlayers.Dense(3, **kwargs)",
        "match x:\n    case {'a': tf}:\n        tf.no_such",
    ],
)  # fmt: skip
def test_no_false_alarm(found, code):
    assert [f for f in found(code) if f[1] != "old"] == []


def test_every_program_of_the_tests_passes():
    """They run, so nothing in them may be reported."""
    from pathlib import Path

    result = command.check([str(Path(__file__).parents[1] / "programs"), str(Path(__file__).parents[1] / "support")])
    assert result.missing == []
    assert result.uses > 0


def test_the_nearest_and_the_known_ways():
    assert "tf.reduce_sum" in symbols.find("tf.reduce_sun").why
    assert symbols.find("tf.log").why == "Use tf.math.log."
    assert "argparse" in symbols.find("tf.app.flags.DEFINE_string").why
    assert symbols.find("tf.contrib.layers.foo").missing == "tf.contrib"


def test_the_command_line(tmp_path, capsys):
    good, bad = tmp_path / "good.py", tmp_path / "sub" / "bad.py"
    bad.parent.mkdir()
    good.write_text("import tensorflow as tf\nprint(tf.constant(1))\n")
    bad.write_text("import tensorflow as tf\ntf.no_such(1)\nprint 3\n")
    assert main.main(["check", str(good)]) == 0
    assert "100 % of the uses work" in capsys.readouterr().out
    assert main.main(["check", str(tmp_path)]) == 1
    assert f"{bad}:3: cannot be read: not Python 3" in capsys.readouterr().out
    bad.write_text("import tensorflow as tf\ntf.reduce_sun(1); tf.reduce_sun(2)\n\ntf.reduce_sun(2)\n")
    assert main.main(["check", "--json", str(tmp_path)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [(f["file"], f["line"], f["what"]) for f in report["findings"]] == [
        (str(bad), 2, "tf.reduce_sun"),
        (str(bad), 4, "tf.reduce_sun"),
    ]
    assert report["files"] == 2
    assert main.main(["check", str(tmp_path / "nowhere.py")]) == 2


def test_folders_leave_environments_out(tmp_path):
    for name in ("venv", "node_modules", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.py").write_text("import tensorflow as tf\ntf.no_such\n")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    assert command.check([str(tmp_path)]).files == 0


def test_a_notebook_is_one_program_whose_lines_belong_to_cells(tmp_path):
    cells = [
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import tensorflow as tf"]},
        {"cell_type": "markdown", "source": "tf.not_code"},
        {"cell_type": "code", "source": "!ls\nx = 1\ntf.no_such(x)"},
    ]
    path = tmp_path / "study.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    result = command.check([str(path)])
    assert [str(f).removeprefix(str(path)) for f in result.findings] == [":cell 2:3: tf.no_such is missing."]


def test_a_hundred_thousand_lines_take_seconds(tmp_path):
    import time

    function = "def f{}(x, y=None):\n    a = tf.reduce_sum(x * y, axis=1)\n    return layers.Dense(a)(x)\n\n"
    body = "".join(function.format(i) for i in range(25_000))
    (tmp_path / "long.py").write_text(HEAD + body)
    began = time.process_time()
    result = command.check([str(tmp_path)])
    assert time.process_time() - began < 10
    assert result.lines > 100_000 and not result.missing


def test_uses_are_counted_with_their_keywords():
    import ast

    found = source.uses(ast.parse("import tensorflow as tf\ntf.reduce_sum(tf.ones(3), axis=0)\n"))
    assert [(u.line, u.symbol, u.keywords) for u in found] == [
        (1, "tf", ()),
        (2, "tf.reduce_sum", (("axis", 2),)),
        (2, "tf.ones", ()),
    ]
