"""`python -m tapejax` is the command `tapejax`."""

import sys

from tapejax.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
