"""Output of subcommands: results on standard output, messages on standard error."""

import json
import sys

from sklearn_ser.utils._printable import encodable, printable


def show(*lines, file=None):
    """Print lines, with escapes for control characters and for what the encoding lacks."""
    file = sys.stdout if file is None else file
    for line in lines:
        print(encodable(printable(line), getattr(file, "encoding", None)), file=file)


def show_json(content):
    """Print JSON in ASCII, which any encoding has."""
    print(json.dumps(content, indent=2))


def say(options, text):
    """Print a message unless quiet."""
    if not options.quiet:
        show(text, file=sys.stderr)
