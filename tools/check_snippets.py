"""Type-check the README's and the documentation's Python snippets, and the examples.

    python tools/check_snippets.py

Each snippet becomes a module of its own in a temporary folder; messages name the page and the
line on it. The snippets of a page that run one after the other are one module.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SNIPPET = re.compile(r"^```python\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def page_as_module(text):
    """Text of a page in which everything but its Python snippets is an empty line."""
    lines = text.count("\n") + 1
    module = [""] * lines
    for match in SNIPPET.finditer(text):
        first = text.count("\n", 0, match.start(1))
        for number, line in enumerate(match[1].splitlines()):
            module[first + number] = line
    return "\n".join(module)


def main():
    pages = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
    scripts = sorted((PROJECT / "examples").rglob("*.py"))
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        targets = {}
        for page in pages:
            target = Path(folder) / f"{page.stem.replace('-', '_')}_md.py"
            target.write_text(page_as_module(page.read_text(encoding="utf-8")), encoding="utf-8")
            targets[target] = page
        targets |= {script: script for script in scripts}
        for target, source in targets.items():  # one by one: examples may share a name
            run = subprocess.run(
                [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(target)],
                cwd=PROJECT,
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                failed = True
                print(run.stdout.replace(str(target), str(source.relative_to(PROJECT))))
    print(f"{len(pages)} pages and {len(scripts)} examples: {'errors' if failed else 'no error'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
