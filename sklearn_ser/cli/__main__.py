"""Command ``python -m sklearn_ser.cli``, the same as ``sklearn-ser``."""

import sys

from sklearn_ser.cli import main

if __name__ == "__main__":
    sys.exit(main())
