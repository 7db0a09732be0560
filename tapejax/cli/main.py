"""The command `tapejax`: finds the subcommand, which has its own file and its own options."""

import argparse
import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence

from tapejax import version

# Subcommand -> (one line for the help, the module whose `main(argv)` runs it, imported only then).
COMMANDS = {
    "run": ("run an unmodified TensorFlow script, module or notebook on JAX", "tapejax.cli.run"),
    "check": ("say which symbols and arguments a program uses that tapejax lacks", "tapejax.cli.check"),
    "compare": ("run a script under TensorFlow and under tapejax, and show where they differ", "tapejax.cli.compare"),
    "coverage": ("which TensorFlow names work, weighted by use", "tapejax.cli.coverage"),
    "demo": ("train a small model and show gradients, speed and the loss curve", "tapejax.cli.demo"),
}

_EXAMPLES = """\
a first look:
  tapejax demo                        is it working, and how fast is it here?

you have a TensorFlow training script:
  tapejax check train.py              what in it does not work here, without running it
  tapejax run train.py --epochs 3     options after the file go to the script
  tapejax run -m pytest tests/        modules too, and notebooks: tapejax run study.ipynb
  tapejax compare train.py            the same numbers as under TensorFlow? and how fast?
  tapejax run --explain train.py      ... and say at the end what was compiled, when and why
  tapejax run --eager train.py        run every operation at once: for debugging

you write new code:
  import tapejax as tf                instead of `import tensorflow as tf`
  tapejax coverage                    which of TensorFlow's names are there?

`tapejax COMMAND --help` says more about each command; `python -m tapejax` is the same as `tapejax`.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
      argv: The words after `tapejax`; those of this process if None.

    Returns:
      The exit status: 0 for success, 1 for a program that raised, 2 for a command line that makes no sense
      (the last by `SystemExit`, as `argparse` does), 141 where the reader of the output has gone (`| head`).
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    if not words:
        parser.print_help()
        return 2
    command, *rest = words
    if not command.startswith("-") and command not in COMMANDS:
        hint = f"; to run a script: tapejax run {command}" if os.path.exists(command) else ""
        parser.error(f"unknown command {command!r} (there are: {', '.join(COMMANDS)}){hint}")
    parser.parse_args([command])  # an option ends here: --help, --version, or one that there is not
    try:
        status = importlib.import_module(COMMANDS[command][1]).main(rest) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python itself still flushes at exit
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
    parser.add_argument("--version", action="version", version=_versions(), help="show the versions and stop")
    return parser


def _versions() -> str:
    parts = [f"{name} {importlib.metadata.version(name)}" for name in ("jax", "jaxlib", "numpy", "optax")]
    return (
        f"tapejax {version.TAPEJAX_VERSION} (follows TensorFlow {version.VERSION}; {', '.join(parts)}; "
        f"Python {platform.python_version()})"
    )
