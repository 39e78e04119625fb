"""Command line interface ``sklearn-ser``: demo, evaluate, train, predict, audit, corpora, store."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import contextmanager

from sklearn_ser import __version__
from sklearn_ser.cli._output import show
from sklearn_ser.exceptions import SerError, SerWarning

_SUBCOMMANDS = {
    "demo": "compare three models on packaged features, leaving one corpus out",
    "evaluate": "evaluate models across folders of emotional speech",
    "train": "fit a model on corpora and save it to a file",
    "predict": "predict the emotion of recordings with a model file",
    "audit": "check corpora for flaws that invalidate scores",
    "corpora": "list the known corpora, or show one with its expected layout",
    "store": "inspect and maintain a feature store: info, prune, verify",
}


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser, with one sub-parser per subcommand."""
    parser = argparse.ArgumentParser(prog="sklearn-ser", description=__doc__)
    parser.add_argument("--version", action="version", version=f"sklearn-ser {__version__}")
    subparsers = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_SubcommandParser
    )
    for name, summary in _SUBCOMMANDS.items():
        subparsers.add_parser(name, help=summary, description=summary)
    return parser


class _SubcommandParser(argparse.ArgumentParser):
    """Parser of a subcommand, whose options are added on first use: they import a lot."""

    has_options = False

    def parse_known_args(self, args=None, namespace=None):
        if not self.has_options:
            self.has_options = True
            _module(self.prog.split()[-1]).add_arguments(self)
            self.add_argument(
                "--quiet", action="store_true", help="print no progress and no messages"
            )
        return super().parse_known_args(args, namespace)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default that of the process, and return its exit status.

    It is 0 on success, 1 if some recordings could not be used, the audit has findings of severity
    "error" or the store has damaged entries, 2 after an error (also one of argparse), and 130 after
    an interrupt.
    """
    options = build_parser().parse_args(arguments)
    try:
        with _short_warnings(options.quiet):
            status = _module(options.command).run(options)
            sys.stdout.flush()
            return status
    except BrokenPipeError:
        # The reader has closed the pipe (| head), which is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SerError, ValueError, OSError) as error:
        show(f"sklearn-ser {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        folder = getattr(options, "out", None)
        hint = f"; finished folds are stored in {folder}, run it again to resume" if folder else ""
        show(f"sklearn-ser {options.command}: interrupted{hint}", file=sys.stderr)
        return 130


@contextmanager
def _short_warnings(quiet):
    """Show warnings of this package without file and line, or not at all when quiet."""

    def show_warning(message, category, filename, lineno, file=None, line=None):
        if not issubclass(category, SerWarning):
            shown(message, category, filename, lineno, file, line)
        elif not quiet:
            show(f"warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        shown = warnings.showwarning
        warnings.simplefilter("always", SerWarning)
        warnings.showwarning = show_warning
        yield


def _module(name):
    return importlib.import_module(f"sklearn_ser.cli._{name}")
