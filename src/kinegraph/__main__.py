"""`python -m kinegraph` is the `kinegraph` command."""

import sys

from kinegraph.cli import main

if __name__ == "__main__":
    sys.exit(main())
