"""`tapejax compare`: a script under both frameworks, in processes of their own."""

import sys
import textwrap

import numpy as np
import pytest

import tapejax
from tapejax import compare as recording
from tapejax.cli import compare

SCRIPT = """
    import sys
    import tensorflow as tf
    from tapejax.compare import note
    model = tf.keras.Sequential([tf.keras.layers.Dense(4, activation="tanh", input_shape=(3,)),
                                 tf.keras.layers.Dense(1)])
    scale = tf.Variable(tf.random.uniform((2,)), name="scale")
    counter = tf.Variable(0, trainable=False)
    optimizer = tf.keras.optimizers.SGD(0.1)
    x = tf.random.normal((8, 3))
    print(sys.argv[1:], "weights", *[round(float(v), 4) for v in model.layers[0].kernel[0]])
    for step in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x) * scale[0]))
        variables = [*model.trainable_variables, scale]
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        note("loss", loss)
        print(f"step {step} loss {float(loss):.6f} took {step}ms/step")
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def write(code=SCRIPT, more=""):
        (tmp_path / "train.py").write_text(textwrap.dedent(code) + textwrap.dedent(more))
        return "train.py"

    return write


@pytest.mark.tensorflow
def test_a_training_script_agrees(script, capsys):
    assert compare.main([script(), "--epochs", "2"]) == 0
    out = capsys.readouterr().out
    assert "weights: all 5 trainable variables start from TensorFlow's values" in out
    assert "printed lines: 4, all equal" in out
    assert "noted values: 3, all equal" in out
    assert [line.split()[0] for line in out.splitlines()[-2:]] == ["TensorFlow", "tapejax"]


@pytest.mark.tensorflow
def test_the_first_difference_is_shown(script, capsys):
    assert (
        compare.main(
            [
                script(
                    more="""
        note("last", tf.ones((2, 3)) * (1.0 if tf.__name__ == "tapejax" else 2.0))
        print("done", 2.5 if tf.__name__ == "tapejax" else 2.0)
        print("seen by one alone") if tf.__name__ == "tapejax" else None
    """
                )
            ]
        )
        == 1
    )
    out = capsys.readouterr().out
    assert "printed lines: 2 of 6 differ" in out
    assert "line 5: 2.0 against 2.5\n    TensorFlow: done 2.0\n    tapejax:    done 2.5" in out
    assert "noted values: number 4, last: 6 of 6 elements differ, first at [0, 0]: 2.0 under TensorFlow, 1.0" in out


@pytest.mark.tensorflow
def test_weights_that_do_not_fit_and_a_failure_are_said(script, capsys):
    code = """
        import tensorflow as tf
        ours = tf.__name__ == "tapejax"
        a = tf.Variable([1.0, 2.0])
        b = tf.Variable([1.0] if ours else [1.0, 2.0], name="b")
        print(a.numpy())
        if ours:
            raise ValueError("only here")
    """
    assert compare.main([script(code)]) == 1
    out = capsys.readouterr().out
    assert "Under tapejax the script ended with status 1:" in out
    assert "ValueError: only here" in out
    assert "weights: 1 handed over, then they do not fit: trainable variable 2 is b:0 (2,) float32 under" in out


def test_wrong_commands(tmp_path, capsys):
    assert compare.main([str(tmp_path / "none.py")]) == 2
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "x.py").write_text("")
    fake = tmp_path / "python"
    fake.write_text(f"#!{sys.executable}\nraise SystemExit(1)\n")
    fake.chmod(0o700)
    assert compare.main(["--python", str(fake), str(tmp_path / "x.py")]) == 2
    assert "has no TensorFlow" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("loss 0.5000", "loss 0.50001", True),
        ("loss 0.5", "loss 0.6", False),
        ("loss nan", "loss nan", True),
        ("loss nan", "loss 1.0", False),
        ("loss inf", "loss inf", True),
        ("1/3 [=====] 12ms/step", "1/3 [=====] 99ms/step", True),
        ("took 1.25 s, loss 2", "took 3s, loss 2", True),
        ("dense_1 shape (2, 3)", "dense_2 shape (2, 3)", False),
        ("a  b", "a b", True),
        ("50%\r100% loss 1", "100% loss 1", True),
        ("\x1b[32mloss\x1b[0m 1", "loss 1", True),
        ("x = -1e-3", "x = -0.001", True),
    ],
)
def test_lines_are_compared_by_their_numbers(left, right, same):
    assert compare._compare_lines([left + "\n"], [right + "\n"], 1e-3, 1e-5)[1] is same


def test_an_extra_line_does_not_shift_the_rest():
    left = [f"step {i} loss {i / 7}\n" for i in range(5)]
    text, same = compare._compare_lines(left, [left[0], "a warning\n", *left[1:]], 1e-3, 1e-5)
    assert not same and text.startswith("1 of 6 differ") and "line 2 is tapejax's alone: a warning" in text


def test_a_record_keeps_every_dtype(tmp_path):
    import ml_dtypes

    values = [
        np.arange(6.0).reshape(2, 3).T,
        np.array(3, np.int64),
        np.array([1.5], ml_dtypes.bfloat16),
        np.array(True),
        np.zeros((0, 2), np.complex64),
    ]
    record = recording.Record(str(tmp_path))
    for value in values:
        record.add("note/x", value)
    record.close()
    found, _ = recording.load(str(tmp_path))
    for (name, back), value in zip(found, values, strict=True):
        assert name == "note/x" and back.dtype == value.dtype and back.shape == value.shape
        assert np.array_equal(back, value)


def test_note_does_nothing_in_other_runs():
    assert recording.note("loss", tapejax.constant(1.0)) is None
