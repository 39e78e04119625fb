"""The command ``sklearn-ser``: demo, evaluate, train, predict, audit, store."""

import argparse
import importlib
import os
import sys
import warnings
from contextlib import contextmanager

from sklearn_ser import __version__
from sklearn_ser.exceptions import SerError, SerWarning

_SUBCOMMANDS = {
    "demo": "compare three models on packaged features, leaving one corpus out",
    "evaluate": "find out which model generalizes over folders of emotional speech",
    "train": "fit a model on corpora and write it to a file",
    "predict": "label recordings with a model file",
    "audit": "look for the flaws of a corpus that make a score on it worthless",
    "store": "look after a feature store: info, prune, verify",
}


def build_parser():
    """The argument parser, with one sub-parser a subcommand."""
    parser = argparse.ArgumentParser(prog="sklearn-ser", description=__doc__)
    parser.add_argument("--version", action="version", version=f"sklearn-ser {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in _SUBCOMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        _module(name).add_arguments(subparser)
        subparser.add_argument("--quiet", action="store_true", help="no progress, no messages")
    return parser


def main(arguments=None):
    """Run the command.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0 if all went well, 1 if some recordings could not be used or the audit has
        findings of severity "error", 2 for an error (argparse's own errors leave with 2 as well),
        130 when interrupted.
    """
    options = build_parser().parse_args(arguments)
    try:
        with _warnings_in_one_line(options.quiet):
            status = _module(options.command).run(options)
            sys.stdout.flush()
            return status
    except BrokenPipeError:
        # The reader has had enough (| head): what it took was right, and there is no one to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SerError, ValueError, OSError) as error:
        print(f"sklearn-ser {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        kept = getattr(options, "out", None)
        hint = f"; what is finished is kept in {kept}, run it again to go on" if kept else ""
        print(f"sklearn-ser {options.command}: interrupted{hint}", file=sys.stderr)
        return 130


@contextmanager
def _warnings_in_one_line(quiet):
    """Show our own warnings as sentences, not as Python with file and line; none when quiet."""

    def show(message, category, filename, lineno, file=None, line=None):
        if not issubclass(category, SerWarning):
            shown(message, category, filename, lineno, file, line)
        elif not quiet:
            print(f"warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        shown = warnings.showwarning
        warnings.simplefilter("always", SerWarning)
        warnings.showwarning = show
        yield


def _module(name):
    return importlib.import_module(f"sklearn_ser.cli._{name}")
