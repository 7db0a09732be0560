"""Runs ``python -m benchmarks``; the command line is in `cli.py`."""

import sys

from benchmarks.cli import main

sys.exit(main())
