"""`tapejax run` with modules, standard input and notebooks, and its options; one process for each test."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tapejax.cli import notebook

ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def tapejax(tmp_path):
    """Runs `python -m tapejax ...` in a folder of its own."""

    def run(*words, given=None, **environment):
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "TAPEJAX_"))}
        mine |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": ROOT, **environment}
        return subprocess.run(
            [sys.executable, "-m", "tapejax", *words],
            cwd=tmp_path,
            env=mine,
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def write(folder, **files):
    for name, code in files.items():
        path = folder / (name.replace("__in__", os.sep) + ".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(code).lstrip("\n"))


def test_a_module_runs_as_with_python(tapejax, tmp_path):
    write(
        tmp_path,
        pkg__in____init__="",
        pkg__in__other="VALUE = 3",
        pkg__in__train="""
        import sys
        import tensorflow as tf
        from .other import VALUE
        print(__name__, __spec__.name, __package__, VALUE, sys.argv[1:], tf.__name__)
        print(sys.argv[0] == __file__, sys.path[0] == __import__('os').getcwd())
        sys.exit(7)
    """,
        pkg__in____main__="print('main', __package__)",
    )
    done = tapejax("run", "-m", "pkg.train", "--epochs", "3", "-m", "--eager")
    assert done.stdout == ("__main__ pkg.train pkg 3 ['--epochs', '3', '-m', '--eager'] tapejax\nTrue True\n")
    assert (done.returncode, done.stderr) == (7, "")
    assert tapejax("run", "-m", "pkg").stdout == "main pkg\n"
    done = tapejax("run", "-m", "pkg.nothing")
    assert (done.returncode, done.stderr) == (2, "tapejax run: no module named pkg.nothing\n")


def test_the_users_tests_run_under_pytest(tapejax, tmp_path):
    write(
        tmp_path,
        tests__in__test_it="""
        import tensorflow as tf
        import helper
        def test_good():
            assert tf.__name__ == "tapejax" and helper.square(3.0) == 9.0
        def test_bad():
            assert float(tf.constant(1.0)) == 2.0
    """,
        helper="""
        import tensorflow as tf
        def square(x):
            return float(tf.square(x))
    """,
    )
    done = tapejax("run", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "float(tf.constant(1.0)) == 2.0" in done.stdout


def test_standard_input(tapejax):
    done = tapejax("run", "-", "a", "--b", given="import sys\nimport keras\nprint(sys.argv, keras.__name__)\n1/0\n")
    assert done.stdout == "['-', 'a', '--b'] tapejax.keras\n"
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr


def test_seed_starts_all_random_numbers(tapejax):
    code = "import random, numpy, tensorflow as tf\nprint(random.random(), numpy.random.rand(), tf.random.normal(()))"
    first = tapejax("run", "--seed", "5", "-", given=code).stdout
    assert first and tapejax("run", "--seed", "5", "-", given=code).stdout == first
    assert tapejax("run", "--seed", "6", "-", given=code).stdout != first


def test_profile_writes_a_trace(tapejax, tmp_path):
    code = "import tensorflow as tf\nprint(float(tf.reduce_sum(tf.ones((3,)))))\nraise SystemExit(4)"
    done = tapejax("run", "--profile", "trace", "-", given=code)
    assert (done.stdout, done.returncode) == ("3.0\n", 4)
    assert list((tmp_path / "trace").rglob("*.trace.json.gz"))
    assert "a trace is in trace" in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_memory_is_kept_unless_told_otherwise(tapejax):
    code = "from tapejax._src.core import malloc\nprint(malloc._kept)"
    import platform

    glibc = platform.libc_ver()[0] == "glibc"
    assert tapejax("run", "-", given=code).stdout == f"{glibc}\n"
    assert tapejax("run", "--no-malloc", "-", given=code).stdout == "None\n"
    assert tapejax("run", "--no-malloc", "-", given=code, TAPEJAX_KEEP_MEMORY="1").stdout == f"{glibc}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "what to run is missing"),
        (("-m",), "what to run is missing"),
        (("--output", "x.ipynb", "train.py"), "--output is for notebooks"),
        (("a.ipynb", "--epochs"), "a notebook takes no arguments: --epochs"),
    ],
)
def test_words_that_make_no_sense(words, message, capsys):
    from tapejax.cli import run

    with pytest.raises(SystemExit) as e:
        run.main(words)
    assert e.value.code == 2
    assert message in capsys.readouterr().err


# Notebooks


def cell(source):
    return {
        "cell_type": "code",
        "source": source.splitlines(keepends=True),
        "outputs": [{"old": 1}],
        "execution_count": 9,
        "metadata": {},
    }


def save(path, *sources):
    cells = [{"cell_type": "markdown", "source": ["# title"], "metadata": {}}, *map(cell, sources)]
    path.write_text(json.dumps({"cells": cells, "metadata": {"a": 1}, "nbformat": 4, "nbformat_minor": 5}))


def test_a_notebook_gets_its_outputs(tapejax, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "data.txt").write_text("data")
    save(tmp_path / "sub" / "study.ipynb",
         "%matplotlib inline\n!pip install tensorflow\nimport sys\nimport tensorflow as tf",
         "def f(x):\n    print('in f')\n    print('error', file=sys.stderr)\n    return tf.square(x)\nf(3.0)",
         "%%time\nprint(open('data.txt').read())\ntext = '''\n!no command\n'''\ndisplay(text)\nx = (7\n  % 4)\nx",
         "f(1.0);\n",
         "None",
         "_ + 1",
         "tf.matmul(tf.ones((2, 3)), tf.ones((2, 3)))",
         "print('never')")  # fmt: skip
    done = tapejax("run", "sub/study.ipynb")
    assert done.returncode == 1
    shown = "<tf.Tensor: shape=(), dtype=float32, numpy=9.0>"
    assert done.stdout == f"in f\n{shown}\ndata\n'\\n!no command\\n'\n3\nin f\n4\n"
    assert "left out: cell 1, line 2: !pip install tensorflow" in done.stderr
    assert '  File "<cell 7 of study.ipynb>", line 1, in <module>\n    tf.matmul(' in done.stderr
    written = json.loads((tmp_path / "sub" / "study.out.ipynb").read_text())
    assert written["metadata"] == {"a": 1} and "old" in (tmp_path / "sub" / "study.ipynb").read_text()
    outputs = [c["outputs"] for c in written["cells"][1:]]

    def stream(name, text):
        return {"output_type": "stream", "name": name, "text": text}

    def result(number, text):
        return {
            "output_type": "execute_result",
            "execution_count": number,
            "data": {"text/plain": text},
            "metadata": {},
        }

    assert outputs[0] == outputs[4] == outputs[7] == []
    assert outputs[1] == [stream("stdout", "in f\n"), stream("stderr", "error\n"), result(2, shown)]
    assert outputs[2][0] == stream("stdout", "data\n")
    assert outputs[2][1]["output_type"] == "display_data" and outputs[2][2] == result(3, "3")
    assert outputs[3] == [stream("stdout", "in f\n"), stream("stderr", "error\n")]
    assert outputs[5] == [result(6, "4")]
    assert outputs[6][0]["ename"] == "InvalidArgumentError"
    assert [c["execution_count"] for c in written["cells"][1:]] == [1, 2, 3, 4, 5, 6, 7, None]


def test_commands_that_may_matter_are_refused_before_anything_runs(tapejax, tmp_path):
    save(tmp_path / "n.ipynb", "print('first')", "!wget http://example.com/data\n%cd data", "%%bash\nls $HOME(")
    done = tapejax("run", "n.ipynb")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "cell 2, line 1: !wget http://example.com/data\n  cell 2, line 2: %cd data\n  cell 3, line 1: %%bash"
        in done.stderr
    )
    done = tapejax("run", "--skip-commands", "--output", "there.ipynb", "n.ipynb")
    assert (done.returncode, done.stdout) == (0, "first\n")
    assert (tmp_path / "there.ipynb").exists() and not (tmp_path / "n.out.ipynb").exists()


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"worksheets": []}'])
def test_what_is_no_notebook(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(notebook.programs.NotFound, match=r"x\.ipynb is no notebook"):
        notebook.read(str(path))


@pytest.mark.parametrize(
    ("source", "python", "harmless"),
    [
        ("x = 1", "x = 1", []),
        ("if x:\n    !ls\ny = 2", "if x:\n    pass\ny = 2", [False]),
        ("%time f(x)", " f(x)".strip(), [True]),
        ("files = !ls", "pass\n", [False]),
        ("tf.Variable?", "pass\n", [True]),
        ("x = (a\n% b)\n%matplotlib inline", "x = (a\n% b)\npass\n", [True]),
        ("s = '''\n%time\n'''\n!ls", "s = '''\n%time\n'''\npass\n", [False]),
        ("%load_ext tensorboard\n%tensorboard --logdir x", "pass\npass\n", [True, False]),
        ("this is no Python", "this is no Python", []),
    ],
)
def test_lines_of_ipythons_own(source, python, harmless):
    text, lines = notebook.python_of(source)
    assert text.replace(" f(x)", "f(x)") == python
    assert [line.harmless for line in lines] == harmless
