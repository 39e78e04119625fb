"""The programs of the pages in docs/ that say that they run as a test."""

import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.mark.parametrize(
    "page", ["audit.md", "augmentation.md", "evaluation.md", "multi_task.md", "search.md"]
)
def test_the_programs_of_a_page_run_one_after_the_other(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    text = (DOCS / page).read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(programs) > 1
    names = {"__name__": page}
    for program in programs:
        exec(compile(program, page, "exec"), names)
    assert capsys.readouterr().out


def test_the_table_of_corpora_is_that_of_the_declarations():
    sys.path.insert(0, str(DOCS.parent / "tools"))
    try:
        from make_corpus_table import PAGE, page
    finally:
        sys.path.pop(0)
    assert PAGE.read_text(encoding="utf-8") == page(), "run tools/make_corpus_table.py"
