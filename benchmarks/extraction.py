"""Speed of feature extraction, in one run: a Markdown table of medians and ratios.

Run: ``python benchmarks/extraction.py [--quick] [--only smile store ge2e search] [shared]``

`shared` is the folder that holds ``corpora/``, by default $SKLEARN_SER_SHARED. Ratios compare what
was measured side by side in this run; they mean little on a machine that is busy with other work,
whose load is therefore printed.
"""

import argparse
import importlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

#: Each has `measure(corpora_root, quick)`: a list of (what, value, unit, what it is to be or None).
SECTIONS = {
    "smile": "_extraction_smile",
    "store": "_extraction_store",
    "ge2e": "_extraction_ge2e",
    "search": "_extraction_search",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("shared", nargs="?", default=os.environ.get("SKLEARN_SER_SHARED"))
    parser.add_argument("--quick", action="store_true", help="fewer utterances and rounds")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    arguments = parser.parse_args()
    if arguments.shared is None:
        parser.error("name the folder that holds corpora/, or set SKLEARN_SER_SHARED")
    corpora_root = Path(arguments.shared) / "corpora"

    packages = ("scikit-learn", "opensmile", "torch", "numpy")
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; Python "
        f"{platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in packages)}"
    )
    print("\n| what | value | unit | wanted | reached |\n|---|---|---|---|---|", flush=True)
    for section in arguments.only:
        for row in measured(section, corpora_root, arguments.quick):
            print(table_line(*row), flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def measured(section, corpora_root, quick):
    """The rows of a section; one that says so where it is not there."""
    try:
        module = importlib.import_module(SECTIONS[section])
    except ModuleNotFoundError as error:
        return [(f"{section}: not there ({error})", None, "", None)]
    return module.measure(corpora_root, quick)


def table_line(what, value, unit, wanted):
    """One line of the table."""
    reached = "" if wanted is None else ("yes" if is_reached(value, wanted) else "**no**")
    shown = "" if value is None else f"{value:.3g}"
    return f"| {what} | {shown} | {unit} | {wanted or ''} | {reached} |"


def is_reached(value, wanted):
    """Whether a value is what it is to be: ">= 1.9" or "<= 1.35"."""
    relation, limit = wanted.split()
    return value >= float(limit) if relation == ">=" else value <= float(limit)


if __name__ == "__main__":
    main()
