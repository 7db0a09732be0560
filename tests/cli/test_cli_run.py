"""`tapejax run`, as a user calls it: each test is a script in a process of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tapejax import version
from tapejax.cli import cache, main, tracebacks


class Runner:
    """Writes a script and runs `python -m tapejax run [options] script [arguments]` on it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.programs = folder / "cache" / "tapejax" / "programs"

    def write(self, code: str, name: str = "script.py") -> str:
        (self.folder / name).write_text(textwrap.dedent(code).lstrip("\n"))
        return name

    def __call__(self, code: str, *arguments: str, options: tuple[str, ...] = (), **environment: str):
        script = self.write(code)
        return self.tapejax("run", *options, script, *arguments, **environment)

    def tapejax(self, *words: str, **environment: str) -> subprocess.CompletedProcess:
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "TAPEJAX_"))}
        root = str(Path(__file__).parents[2])
        mine |= {"XDG_CACHE_HOME": str(self.folder / "cache"), "PYTHONPATH": root, **environment}
        return subprocess.run(
            [sys.executable, "-m", "tapejax", *words],
            cwd=self.folder, env=mine, capture_output=True, text=True, timeout=300,
        )  # fmt: skip


@pytest.fixture
def run(tmp_path):
    return Runner(tmp_path)


def test_a_script_runs_as_python_would_run_it_except_for_tensorflow(run):
    run.write("VALUE = 42", "neighbour.py")
    done = run(
        """
        '''The docstring.'''
        import sys
        import tensorflow as tf
        from tensorflow.keras import layers
        import neighbour
        if __name__ == "__main__":
            x = tf.Variable(3.0)
            with tf.GradientTape() as tape:
                y = x**2
            print(tape.gradient(y, x).numpy(), tf.__name__, layers.__name__)
            print(sys.argv, __file__, __doc__, __spec__, neighbour.VALUE)
            import __main__
            print(__main__.x is x)
        """,
        "--epochs", "3", "--eager", "--help", "-x",
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == (
        "6.0 tapejax tapejax.keras.layers\n"
        "['script.py', '--epochs', '3', '--eager', '--help', '-x'] script.py The docstring. None 42\n"
        "True\n"
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("ending", "status", "message"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('stopped')", 1, "stopped\n"),
        ("raise KeyboardInterrupt", 130, None),
        ("1 / 0", 1, None),
    ],
)
def test_exit_codes_are_kept(run, ending, status, message):
    done = run(f"import sys\n{ending}")
    assert done.returncode == status
    if message is not None:
        assert done.stderr == message


def test_a_traceback_ends_at_the_users_line(run):
    code = """
        import tensorflow as tf
        def step(x):
            return tf.matmul(x, x)
        step(tf.ones((2, 3)))
    """
    done = run(code)
    assert done.returncode == 1
    files = [line for line in done.stderr.splitlines() if line.startswith("  File")]
    assert files == ['  File "script.py", line 4, in <module>', '  File "script.py", line 3, in step']
    assert done.stderr.count("Traceback (most recent call last)") == 1
    assert "    return tf.matmul(x, x)" in done.stderr
    assert "InvalidArgumentError" in done.stderr
    assert "inside tapejax not shown: tapejax run --full-traceback)" in done.stderr.splitlines()[-1]

    full = run(code, options=("--full-traceback",))
    assert len([line for line in full.stderr.splitlines() if line.startswith("  File")]) > 2
    assert "not shown" not in full.stderr
    assert os.path.join("tapejax", "cli") not in full.stderr


def test_the_users_frames_beneath_tapejax_stay(run):
    done = run("""
        import tensorflow as tf
        @tf.custom_gradient
        def f(x):
            def grad(dy):
                return dy + undefined
            return x * 2, grad
        x = tf.Variable(1.0)
        with tf.GradientTape() as tape:
            y = f(x)
        tape.gradient(y, x)
    """)
    frames = [line.rpartition(" ")[2] for line in done.stderr.splitlines() if line.startswith("  File")]
    assert frames == ["<module>", "grad"]
    assert "NameError: name 'undefined' is not defined" in done.stderr


def test_the_scripts_own_errors_look_as_in_python(run):
    done = run("""
        import json
        try:
            json.loads("{")
        except ValueError as error:
            raise RuntimeError("bad file") from error
    """)
    plain = subprocess.run([sys.executable, "script.py"], cwd=run.folder, capture_output=True, text=True)
    # Python makes the script's path absolute, `tapejax run` shows it as it was given.
    assert done.stderr == plain.stderr.replace(str(run.folder) + os.sep, "")


def test_a_syntax_error_shows_the_line_and_nothing_else(run):
    done = run("x = 1\nif x\n    pass\n")
    assert done.stderr.splitlines()[0] == '  File "script.py", line 2'
    assert "SyntaxError" in done.stderr
    assert done.returncode == 1


def test_a_missing_symbol_says_what_is_near(run):
    done = run("import tensorflow as tf\ntf.reduce_sun([1.0])\n")
    assert "tf.reduce_sun is not supported yet. Nearest that exist: " in done.stderr
    assert "tf.reduce_sum" in done.stderr
    done = run("from tensorflow.keras.layers import Dence\n")
    assert "ImportError: cannot import name 'Dence'" in done.stderr
    assert "tf.keras.layers.Dence is not supported yet. Nearest that exist: " in done.stderr
    assert "tf.keras.layers.Dense" in done.stderr


def test_eager_runs_each_op_at_once(run):
    code = """
        import os
        import tensorflow as tf
        print(tf.config.eager, os.environ.get("TAPEJAX_EAGER"))
    """
    assert run(code).stdout == "False None\n"
    assert run(code, options=("--eager",)).stdout == "True 1\n"


def test_explain_goes_to_stderr_also_when_the_script_fails(run):
    code = """
        import tensorflow as tf
        print(float(tf.constant(1.0) + 2.0))
        raise SystemExit(4)
    """
    done = run(code, options=("--explain",))
    assert (done.stdout, done.returncode) == ("3.0\n", 4)
    assert "compiled" in done.stderr
    assert run(code).stderr == ""


class TestCache:
    """Compiled programs outlive the process."""

    code = "import tensorflow as tf\nprint(float(tf.reduce_sum(tf.exp(tf.ones((3,))) * 0.0)))\n"

    def test_the_second_start_compiles_nothing(self, run):
        assert run(self.code).stdout == "0.0\n"
        first = sorted(p.name for p in run.programs.iterdir())
        assert first
        done = run(self.code, JAX_LOG_COMPILES="0")
        assert (done.stdout, done.stderr) == ("0.0\n", "")
        assert sorted(p.name for p in run.programs.iterdir()) == first
        if os.name == "posix":
            assert run.programs.stat().st_mode & 0o077 == 0

    def test_no_cache_writes_nothing(self, run):
        assert run(self.code, options=("--no-cache",)).stdout == "0.0\n"
        assert not run.programs.exists()

    def test_jaxs_own_variable_wins(self, run):
        other = run.folder / "elsewhere"
        assert run(self.code, JAX_COMPILATION_CACHE_DIR=str(other)).stdout == "0.0\n"
        assert any(other.iterdir())
        assert not run.programs.exists()

    def test_a_cache_that_cannot_be_made_is_said_and_done_without(self, run):
        (run.folder / "cache").write_text("a file is in the way")
        done = run(self.code)
        assert (done.stdout, done.returncode) == ("0.0\n", 0)
        assert done.stderr.startswith("tapejax: running without a compilation cache: ")

    def test_the_oldest_programs_go_first_when_it_grows(self, tmp_path):
        for age in range(10):
            (tmp_path / f"{age}").write_bytes(b"x" * 100)
            os.utime(tmp_path / f"{age}", (1000 - age, 1000 - age))
        cache.trim(tmp_path, limit=1000)
        assert len(list(tmp_path.iterdir())) == 10
        cache.trim(tmp_path, limit=999)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1", "2", "3"]


class TestCommandLine:
    def test_help_teaches(self, capsys):
        with pytest.raises(SystemExit) as e:
            main.main(["--help"])
        assert e.value.code == 0
        text = capsys.readouterr().out
        for command in main.COMMANDS:
            assert f"tapejax {command}" in text
        assert main.main([]) == 2
        assert capsys.readouterr().out == text

    def test_version_names_all_that_matters(self, capsys):
        with pytest.raises(SystemExit):
            main.main(["--version"])
        text = capsys.readouterr().out
        assert text.startswith(f"tapejax {version.TAPEJAX_VERSION} (follows TensorFlow {version.VERSION}; ")

    def test_a_forgotten_run_is_guessed(self, capsys):
        with pytest.raises(SystemExit) as e:
            main.main([__file__])
        assert e.value.code == 2
        assert f"to run a script: tapejax run {__file__}" in capsys.readouterr().err

    def test_an_unknown_option_is_named(self, capsys):
        with pytest.raises(SystemExit):
            main.main(["--bogus"])
        assert "unrecognized arguments: --bogus" in capsys.readouterr().err

    def test_a_missing_file_is_an_error_of_usage(self, capsys):
        assert main.main(["run", "no_such.py"]) == 2
        assert "no such file: no_such.py" in capsys.readouterr().err

    def test_demo_is_there(self):
        import importlib

        assert callable(importlib.import_module(main.COMMANDS["demo"][1]).main)


def test_trim_keeps_what_a_user_raised_and_drops_what_was_caught_inside():
    try:
        try:
            raise KeyError("mine")
        except KeyError:
            raise ValueError("also mine")  # noqa: B904
    except ValueError as error:
        assert tracebacks.trim(error) == 0
        assert isinstance(error.__context__, KeyError)
        assert error.__traceback__ is not None
