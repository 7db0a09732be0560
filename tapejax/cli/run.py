"""`tapejax run script.py [args]`: runs a file as Python does, but `import tensorflow` gives tapejax."""

import argparse
import builtins
import io
import os
import re
import sys
from collections.abc import Sequence
from types import ModuleType

import tapejax
from tapejax import aliases, missing
from tapejax.cli import cache, tracebacks

_EPILOG = """\
examples:
  tapejax run train.py                       nothing in the file needs to change
  tapejax run train.py --epochs 3 --lr 0.01  options after the file are the script's own
  tapejax run --explain train.py             where did the time go?

Compiled programs are kept for the next start in your cache folder, or in JAX_COMPILATION_CACHE_DIR.
"""


def main(argv: Sequence[str]) -> int:
    """Runs `tapejax run`.

    Args:
      argv: The words after `tapejax run`.

    Returns:
      0 if the script ended well, 1 if it raised, 130 if it was interrupted. A script that calls `sys.exit`
      ends this process too, with its own status.
    """
    options = _parser().parse_args(argv)
    if not os.path.exists(options.script) or os.path.isdir(options.script):
        print(f"tapejax run: no such file: {options.script}", file=sys.stderr)
        return 2
    if options.eager:
        os.environ["TAPEJAX_EAGER"] = "1"  # for processes that the script starts
        tapejax.config.eager = True  # for this one, where tapejax has read its environment already
    if options.cache:
        cache.enable()
    else:
        cache.disable()
    aliases.install_as_tensorflow()
    try:
        return run_script(options.script, options.arguments, options.full_traceback)
    finally:
        if options.explain:
            sys.stdout.flush()
            print(tapejax.explain(), file=sys.stderr)


def run_script(script: str, arguments: Sequence[str], full_traceback: bool = False) -> int:
    """Runs a file as `__main__`, as `python script arguments...` would, and reports what it raises.

    The module `__main__` stays in place afterwards, since what runs at exit may need it.

    Args:
      script: The file.
      arguments: What the script sees as `sys.argv[1:]`.
      full_traceback: Show the frames of tapejax and of what it calls as well.

    Returns:
      0, or 1 after an exception, or 130 after Ctrl-C; the traceback has gone to `sys.excepthook` by then.

    Raises:
      SystemExit: If the script does.
    """
    sys.argv = [script, *arguments]
    if not sys.flags.safe_path:  # -P or PYTHONSAFEPATH: Python would add nothing either
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    module = ModuleType("__main__")
    # What Python itself sets for a script; __spec__ is None there too.
    module.__dict__.update(__file__=script, __builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = module
    try:
        with io.open_code(os.path.abspath(script)) as file:
            code = compile(file.read(), script, "exec", dont_inherit=True)
        exec(code, module.__dict__)
        return 0
    except SystemExit:
        raise
    except BaseException as error:
        _report(error, full_traceback)
        return 130 if isinstance(error, KeyboardInterrupt) else 1


def _report(error: BaseException, full: bool) -> None:
    sys.stdout.flush()
    _advise(error)
    hidden = tracebacks.trim(error, full)
    sys.excepthook(type(error), error, error.__traceback__)
    if hidden:
        frames = "1 frame" if hidden == 1 else f"{hidden} frames"
        print(f"({frames} inside tapejax not shown: tapejax run --full-traceback)", file=sys.stderr)


def _advise(error: BaseException) -> None:
    """Adds the nearest names to a failed `from tensorflow.x import Name`, whose message is Python's own."""
    if not isinstance(error, ImportError) or isinstance(error, ModuleNotFoundError) or not error.name:
        return
    # Python 3.12 has `name_from`; 3.11 only says it in the text.
    found = re.match(r"cannot import name '(\w+)'", str(error))
    namespace = sys.modules.get(error.name)
    if found and namespace and error.name.partition(".")[0] == missing.__name__.partition(".")[0]:
        name = found.group(1)
        error.add_note(missing.explain(namespace.__name__, name, dir(namespace)).partition(": ")[2])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapejax run",
        usage="tapejax run [options] script.py [arguments of the script]",
        description="Run a TensorFlow script on JAX: `import tensorflow` and `import keras` give tapejax, "
        "also where other packages import them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("script", help="the Python file to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="passed to the script unchanged")
    parser.add_argument(
        "--eager", action="store_true", help="run each operation at once, by itself (to debug; slow)"
    )
    parser.add_argument("--explain", action="store_true", help="say at the end what was compiled, and why")
    parser.add_argument(
        "--no-cache", dest="cache", action="store_false", help="neither read nor keep compiled programs"
    )
    parser.add_argument(
        "--full-traceback", action="store_true", help="show tapejax's own frames in a traceback too"
    )
    return parser
