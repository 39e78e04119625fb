"""``sklearn-ser corpora``: known corpora and their original layouts."""

import shutil
import textwrap

from sklearn_ser.cli._output import show, show_json
from sklearn_ser.exceptions import CorpusError

#: Columns of the overview, with the width at which their values are cut.
_OVERVIEW = {
    "name": 20,
    "languages": 9,
    "utterances": 30,
    "speakers": 8,
    "kinds": 22,
    "license": 24,
    "tried_on": 14,
}


def add_arguments(parser):
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="show this corpus with its expected layout"
    )
    parser.add_argument("--json", action="store_true", help="print JSON with all that is known")


def run(options):
    from sklearn_ser.datasets import list_corpora
    from sklearn_ser.datasets._known_corpora import did_you_mean

    table = list_corpora().reset_index()
    if options.name is not None:
        names = table["name"].tolist()
        if options.name not in names:
            raise CorpusError(
                f"{options.name!r} is no known corpus; expected one of {', '.join(names)}."
                f"{did_you_mean(options.name)}"
            )
        table = table[table["name"] == options.name]
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    if options.json:
        show_json(rows if options.name is None else rows[0])
    elif options.name is None:
        show(*_overview(rows))
    else:
        show(*_details(rows[0]))
    return 0


def _overview(rows):
    texts = [{column: _text(row[column]) for column in _OVERVIEW} for row in rows]
    texts.insert(0, {column: column.replace("_", " ") for column in _OVERVIEW})
    widths = {
        column: min(limit, max(len(text[column]) for text in texts))
        for column, limit in _OVERVIEW.items()
    }
    for text in texts:
        cells = (_cut(text[column], width).ljust(width) for column, width in widths.items())
        yield "  ".join(cells).rstrip()


def _details(row):
    from sklearn_ser.datasets._known_corpora import reader_of

    reader = reader_of(row["name"])
    yield f"{row['name']}: {row['title']}"
    for column, value in row.items():
        if column not in ("name", "title", "example") and value not in ("", None, False):
            yield from _paragraph(column, _text(value))
    yield from _paragraph("layout", f"DIR/{row['example']}")
    for table in reader.tables:
        yield from _paragraph("", f"{table.name} ({table.need})")
    yield from _paragraph("load", f"load_corpus({row['name']!r}, DIR)")


def _paragraph(title, text):
    indent = " " * 13
    wrapper = textwrap.TextWrapper(
        width=shutil.get_terminal_size((100, 24)).columns,
        initial_indent=title.replace("_", " ").ljust(13),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in text.split("\n"):
        yield from wrapper.wrap(line)
        wrapper.initial_indent = indent


def _text(value):
    return "?" if value in (None, "") else "yes" if value is True else str(value)


def _cut(text, width):
    return text if len(text) <= width else f"{text[: width - 3]}..."
