"""Write docs/known_corpora.md from the declarations of the readers.

python tools/make_corpus_table.py
"""

from pathlib import Path

from sklearn_ser.datasets import list_corpora

PAGE = Path(__file__).resolve().parents[1] / "docs" / "known_corpora.md"
_COLUMNS = (
    *("name", "languages", "utterances", "speakers", "naturalness"),
    *("ratings", "votes", "folds", "tried on"),
)
_INTRODUCTION = """# Known corpora

Written by `tools/make_corpus_table.py` from the declarations in `sklearn_ser/datasets/corpora`.

`load_corpus(name, root)` reads these corpora in their original layout, `load_corpus("auto", root)`
detects which one a folder holds, and `list_corpora()` is this table as a DataFrame. *Tried on* says
on what a declaration was tested: real files, files with their original names, or a synthetic tree
written from published descriptions only.
"""


def page():
    """Return the page as text."""
    corpora = list_corpora()
    lines = [
        _INTRODUCTION,
        f"| {' | '.join(_COLUMNS)} |",
        f"|{'---|' * len(_COLUMNS)}",
    ]
    for name, row in corpora.iterrows():
        cells = (
            f"[`{name}`](#{name})",
            row["languages"],
            row["utterances"] or "?",
            str(row["speakers"]).replace("<NA>", "?"),
            row["kinds"],
            row["ratings"],
            "yes" if row["votes"] else "",
            "yes" if row["folds"] else "",
            row["tried_on"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    for name, row in corpora.iterrows():
        lines += [
            f"\n## {name}\n",
            f"{row['title']}\n",
            f"- Layout: `{row['example']}`" + (f", with {row['tables']}" if row["tables"] else ""),
            f"- Emotions: {row['emotions'] or 'none'}",
            *([f"- Folds: {row['folds']}"] if row["folds"] else ()),
            *(f"- Known flaw: {flaw}" for flaw in row["flaws"].splitlines()),
            *([f"- Uncertain: {row['uncertain']}"] if row["uncertain"] else ()),
            f"- License: {row['license']}",
            f"- Cite: {row['citation']}",
            f"- <{row['homepage']}>",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
