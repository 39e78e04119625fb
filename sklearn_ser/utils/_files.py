"""Files that are replaced as a whole."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path


def replace_files(contents: Mapping[Path, Iterable[bytes | memoryview]]) -> None:
    """Replace files by their parts, or create them: all are written beside them, then renamed.

    After a kill at any moment, each of them has its former or its new content.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
            parts[part] = path
            # A file of tempfile would be readable by its owner only.
            with part.open("xb") as file:
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
        for part, path in parts.items():
            os.replace(part, path)
    finally:
        for part in parts:
            with suppress(OSError, ValueError):  # the second for an invalid path
                part.unlink()
