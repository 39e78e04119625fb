"""``sklearn-ser store``: inspection and maintenance of a feature store."""

import argparse
import math
import os
import re

from sklearn_ser.cli._output import show, show_json

_UNITS = {"": 1, "B": 1} | {
    prefix + ending: size**power
    for power, prefix in enumerate("KMGT", start=1)
    for ending, size in (("", 1000), ("B", 1000), ("IB", 1024))
}


def add_arguments(parser):
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=argparse.ArgumentParser
    )
    info = _action(actions, "info", _info, "show the contents of the store by extractor")
    info.add_argument("--json", action="store_true", help="print a JSON object instead of a table")
    prune = _action(actions, "prune", _prune, "remove entries and free their space")
    prune.add_argument(
        "--older-than",
        type=_days,
        metavar="DAYS",
        help="remove entries that were not used for this number of days",
    )
    prune.add_argument(
        "--max-size",
        type=_bytes,
        metavar="SIZE",
        help="then remove the least recently used entries until the file is no larger (2GB, 500MB)",
    )
    prune.add_argument(
        "--extractor",
        metavar="NAME",
        help="remove only entries of this extractor; without the other options, all of them",
    )
    verify = _action(actions, "verify", _verify, "check every entry and the structure of the file")
    verify.add_argument("--repair", action="store_true", help="remove damaged entries")


def run(options):
    from sklearn_ser import FeatureStore
    from sklearn_ser.exceptions import StoreError

    store = FeatureStore(options.path)
    # A missing store is an error: an empty result would hide a typo.
    if not os.path.exists(store.info()["file"]):
        raise StoreError(
            f"there is no feature store in {store.path!r}: nothing was stored there yet"
        )
    return options.do(store, options)


def _action(actions, name, do, summary):
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("path", metavar="PATH", help="folder of the store, as in store=")
    parser.add_argument("--quiet", action="store_true", default=argparse.SUPPRESS)
    parser.set_defaults(do=do)
    return parser


def _info(store, options):
    info = store.info()
    if options.json:
        show_json(info)
        return 0
    show(f"{info['file']}: {_count(info['entries'])}, {_size(info['bytes'])}")
    if info["extractors"]:
        rows = [("extractor", "entries", "values", "first stored", "last used")] + [
            (
                each["extractor"] or "(unnamed)",
                f"{each['entries']:,}",
                _size(each["bytes"]),
                each["created"][:10],
                (each["used"] or "unknown")[:10],
            )
            for each in info["extractors"]
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for name, *others in rows:
            cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
            show("  ".join([name.ljust(widths[0]), *cells]))
    return 0


def _prune(store, options):
    if options.older_than is options.max_size is options.extractor is None:
        raise ValueError("nothing to remove: use --older-than, --max-size or --extractor")
    before = store.info()
    removed = store.prune(options.older_than, options.max_size, options.extractor)
    after = store.info()
    if not options.quiet:
        freed = _size(max(0, before["bytes"] - after["bytes"]))
        show(
            f"removed {_count(removed)} ({freed}); {_count(after['entries'])} left "
            f"({_size(after['bytes'])})"
        )
    return 0


def _verify(store, options):
    damaged = store.verify(repair=options.repair)
    for entry in damaged:
        show(f"damaged: {entry['key']} {entry['extractor']}".rstrip())
    if not options.quiet:
        n_entries = _count(store.info()["entries"])
        if not damaged:
            show(f"{n_entries}, none damaged")
        elif options.repair:
            show(f"removed {_count(len(damaged))}; {n_entries} left, none damaged")
        else:
            show(f"{_count(len(damaged))} of {n_entries} damaged: remove with --repair")
    return 1 if damaged and not options.repair else 0


def _days(text):
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of days, got {text!r}")
    return days


def _bytes(text):
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Z]*)", text.strip().upper())
    if match is None or match[2] not in _UNITS:
        raise argparse.ArgumentTypeError(f"expected a size such as 2GB or 500MB, got {text!r}")
    return int(float(match[1]) * _UNITS[match[2]])


def _size(n_bytes):
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 1000 or unit == "GB":
            return f"{n_bytes:.0f} bytes" if unit == "bytes" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000


def _count(number):
    return f"{number:,} {'entry' if number == 1 else 'entries'}"
