"""The command `tapejax`. It runs a subcommand, each of which has its own file and its own options."""

import argparse
import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence

from tapejax import version

# For each subcommand: one line for the help, and the module whose `main(argv)` runs it. It is imported only then.
COMMANDS = {
    "run": ("run an unmodified TensorFlow script, module or notebook on JAX", "tapejax.cli.run"),
    "check": ("list what a program uses that tapejax lacks, without running it", "tapejax.cli.check"),
    "compare": ("run a script under TensorFlow and under tapejax, and show where they differ", "tapejax.cli.compare"),
    "coverage": ("show how many of TensorFlow's names tapejax has, weighted by use", "tapejax.cli.coverage"),
    "demo": ("train a small model and show gradients, speed and the loss curve", "tapejax.cli.demo"),
}

_EXAMPLES = """\
a first look:
  tapejax demo                        check that it works, and how fast it is here

you have a TensorFlow training script:
  tapejax check train.py              list what in it does not work here, without running it
  tapejax run train.py --epochs 3     run it; options after the file go to the script
  tapejax run -m pytest tests/        run a module; notebooks: tapejax run study.ipynb
  tapejax compare train.py            compare its results and speed with TensorFlow's
  tapejax run --explain train.py      run it, and report what was compiled, when and why
  tapejax run --eager train.py        run every operation at once, for debugging

you write new code:
  import tapejax as tf                instead of `import tensorflow as tf`
  tapejax coverage                    show which of TensorFlow's names are there

`tapejax COMMAND --help` says more about each command; `python -m tapejax` is the same as `tapejax`.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
      argv: The arguments after `tapejax`. None means those of this process.

    Returns:
      The exit status: 0 for success, 1 for a program that raised an exception, 141 if the reader of the output closed
      it early (`| head`). Without arguments it is 2.

    Raises:
      SystemExit: The command line is wrong (status 2), or it asks for `--help` or `--version`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    if not words:
        parser.print_help()
        return 2
    command, *rest = words
    if not command.startswith("-") and command not in COMMANDS:
        hint = f"; to run a script: tapejax run {command}" if os.path.exists(command) else ""
        parser.error(f"unknown command {command!r}; the commands are {', '.join(COMMANDS)}{hint}")
    parser.parse_args([command])  # if it is an option, this ends the process: --help, --version, or an error
    try:
        status = importlib.import_module(COMMANDS[command][1]).main(rest) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # because Python flushes it once more at exit
        return 128 + 13  # as a shell reports SIGPIPE
    return status


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {summary}" for name, (summary, _) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="tapejax",
        usage="tapejax COMMAND ...",
        description="TensorFlow-2 training code on JAX, compiled by XLA.\n\ncommands:\n" + commands,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=_versions(), help="show the versions and exit")
    return parser


def _versions() -> str:
    parts = [f"{name} {importlib.metadata.version(name)}" for name in ("jax", "jaxlib", "numpy", "optax")]
    return (
        f"tapejax {version.TAPEJAX_VERSION} (follows TensorFlow {version.VERSION}; {', '.join(parts)}; "
        f"Python {platform.python_version()})"
    )
