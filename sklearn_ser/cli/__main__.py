"""``python -m sklearn_ser.cli`` is the command ``sklearn-ser``."""

import sys

from sklearn_ser.cli import main

sys.exit(main())
