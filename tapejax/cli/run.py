"""`tapejax run`: runs a script, a module or a notebook as Python does, but with tapejax in place of TensorFlow."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence

import tapejax
from tapejax._src.compat import aliases
from tapejax._src.core import malloc
from tapejax.cli import cache, programs, tracebacks

_USAGE = """tapejax run [options] script.py [arguments of the script]
       tapejax run [options] -m package.module [arguments]
       tapejax run [options] notebook.ipynb"""

_EPILOG = """\
examples:
  tapejax run train.py                       run a script; it needs no change
  tapejax run train.py --epochs 3 --lr 0.01  options after the file go to the script
  tapejax run -m project.train --epochs 3    run a module, as `python -m` does
  tapejax run -m pytest tests/               run your tests, in one process (without pytest-xdist's -n)
  tapejax run study.ipynb                    run the cells, and write study.out.ipynb with their outputs
  generate | tapejax run -                   run a program from standard input
  tapejax run --explain train.py             report what was compiled and why
  tapejax run --profile /tmp/trace train.py  write a trace for TensorBoard or Perfetto
  tapejax run --eager train.py               run each operation at once, to step through it in a debugger

Packages that the program imports get tapejax as `tensorflow` too. Compiled programs are kept for the next start, in
your cache folder or in JAX_COMPILATION_CACHE_DIR. `tapejax check train.py` lists beforehand what is missing, and
`tapejax compare train.py` runs the script under TensorFlow as well and compares the results.
"""


def main(argv: Sequence[str]) -> int:
    """Runs `tapejax run`.

    Args:
      argv: The arguments after `tapejax run`.

    Returns:
      0 if the program ended well, 1 if it raised an exception, 130 if it was interrupted, 2 if it was not found. A
      program that calls `sys.exit` ends this process with its own status.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    words = options.module if options.module is not None else [options.script, *options.arguments]
    if not words or words[0] is None:
        parser.error("what to run is missing; expected a file, -m MODULE, or - for standard input")
    notebook = options.module is None and words[0].endswith(".ipynb")
    for given, name in ((options.output, "--output"), (options.skip_commands, "--skip-commands")):
        if given and not notebook:
            parser.error(f"{name} is for notebooks only")
    if notebook and len(words) > 1:
        parser.error(f"a notebook takes no arguments: {' '.join(words[1:])}")
    if options.module is None and words[0] != "-" and not os.path.exists(words[0]):  # before any setting changes
        print(f"tapejax run: no such file: {words[0]}", file=sys.stderr)
        return 2
    if options.malloc:
        malloc.keep_memory()  # must happen before the first operation starts JAX's threads
    if options.eager:
        os.environ["TAPEJAX_EAGER"] = "1"  # for processes that the program starts
        tapejax.config.eager = True  # for this process, in which tapejax has read the environment already
    if options.cache:
        cache.enable()
    else:
        cache.disable()
    aliases.install_as_tensorflow()
    if options.seed is not None:
        tapejax.keras.utils.set_random_seed(options.seed)
    try:
        if options.module is not None:
            program = programs.module(words[0], words[1:])
        elif words[0] == "-":
            program = programs.standard_input(words[1:])
        elif notebook:
            from tapejax.cli import notebook as notebooks

            program = notebooks.notebook(words[0], options.output, options.skip_commands)
        else:
            program = programs.file(words[0], words[1:])
    except programs.NotFound as error:
        print(f"tapejax run: {error}", file=sys.stderr)
        return 2
    try:
        with _profile(options.profile):
            return execute(program, options.full_traceback)
    finally:
        if options.explain:
            sys.stdout.flush()
            print(tapejax.explain(), file=sys.stderr)


def execute(program: Callable[[], None], full_traceback: bool = False) -> int:
    """Runs a program, and reports the exception that ends it.

    Args:
      program: A function from `tapejax.cli.programs` that runs the program.
      full_traceback: Whether the traceback also shows the frames of tapejax and of the libraries that it calls.

    Returns:
      0; 1 after an exception; 130 after Ctrl-C. The exception was passed to `sys.excepthook`.

    Raises:
      SystemExit: The program raised it.
    """
    try:
        program()
        return 0
    except SystemExit:
        raise
    except BaseException as error:
        tracebacks.report(error, full_traceback)
        return 130 if isinstance(error, KeyboardInterrupt) else 1


@contextlib.contextmanager
def _profile(folder: str | None):
    if folder is None:
        yield
        return
    import jax

    jax.profiler.start_trace(folder)
    try:
        yield
    finally:
        tapejax.sync()  # pending operations belong to the program, and so to its trace
        jax.effects_barrier()
        jax.profiler.stop_trace()
        print(
            f"tapejax run: a trace is in {folder}: open it with `tensorboard --logdir {folder}`, or load its "
            "trace.json.gz in https://ui.perfetto.dev",
            file=sys.stderr,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapejax run",
        usage=_USAGE,
        description="Run a TensorFlow program on JAX: `import tensorflow` and `import keras` give tapejax, "
        "also where other packages import them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("script", nargs="?", help="the Python file or notebook to run; - for standard input")
    add("arguments", nargs=argparse.REMAINDER, help="passed to the program unchanged")
    add("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE ...", help="run a module; the rest goes to it")
    add("--seed", type=int, metavar="N", help="seed Python's, NumPy's and TensorFlow's random numbers with N")
    add("--eager", action="store_true", help="run each operation at once, by itself (for debugging; slow)")
    add("--explain", action="store_true", help="report at the end what was compiled, what ran op by op, and why")
    add("--profile", metavar="DIR", help="write a trace of JAX's profiler to a folder")
    add("--no-cache", dest="cache", action="store_false", help="neither use nor keep compiled programs of other starts")
    add(
        "--malloc",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep freed memory in the process: faster on CPUs, needs more memory (default: --malloc)",
    )
    add("--full-traceback", action="store_true", help="show tapejax's own frames in a traceback too")
    add("--output", metavar="FILE", help="where to write the notebook with its outputs (default: NAME.out.ipynb)")
    add(
        "--skip-commands",
        action="store_true",
        help="leave out a notebook's shell commands and unknown magic commands, instead of refusing to run it",
    )
    return parser
