"""Zip archives of model files, and their validation before anything is built from them.

A model file is a zip, and so is the skops archive in it. Nothing that a file names is imported or
built here, unless the caller trusts it: sizes and the schema are plain data. The errors hold a
reason only; `_model_file` adds the name of the file.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import uuid
import zipfile
from pathlib import Path
from typing import Any

from sklearn_ser.exceptions import ModelFileError

# Limit of the total size of the unpacked members. Network weights are hardly compressible, support
# vectors by a factor below 10; a zip bomb reaches 1000.
SMALLEST_LIMIT = 64 * 2**20
MOST_EXPANSION = 200

# Protocol 0 of skops named functions elsewhere in the schema. No model file has it.
FIRST_PROTOCOL = 1

#: The attribute of a scorer that holds its function.
FUNCTION_KEY = "_score_func"

#: Loaders allowed below keys whose values skops calls, or passes on to be called: only types.
CALLED_KEYS = {
    "key_types": ("ListNode", "TypeNode"),
    "default_factory": ("TypeNode", "JsonNode"),
}


def size_limit(n_bytes):
    """Return the number of bytes that a file of `n_bytes` may unpack to."""
    return max(SMALLEST_LIMIT, MOST_EXPANSION * n_bytes)


def read_members(path, names):
    """Read members of the outer archive: a dict of name to bytes."""
    with zipfile.ZipFile(path) as archive:
        _check_sizes(archive, size_limit(path.stat().st_size), zipfile.ZIP_DEFLATED)
        return {name: _read(archive, name) for name in names}


def archive_of(members):
    """Return a zip of the members, uncompressed where it would exceed the limit of expansion."""
    n_bytes = sum(map(len, members.values()))
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            for name, member in members.items():
                archive.writestr(name, member)
        if n_bytes <= size_limit(buffer.tell()):
            break
    return buffer.getvalue()


def checked_target(path):
    """Validate a path to write to; return it with links resolved."""
    target = Path(path)
    with contextlib.suppress(ValueError):  # of an invalid path, which writing reports
        target = target.resolve()
    if target.is_dir():
        raise ModelFileError(f"cannot write the model file {str(path)!r}: this is a folder")
    if not target.parent.is_dir():
        raise ModelFileError(
            f"cannot write the model file {str(path)!r}: there is no folder {str(target.parent)!r}"
        )
    return target


def write_file(path, content):
    """Replace a file atomically."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        # A file of tempfile would be readable by its owner only.
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"cannot write the model file {str(path)!r}: {error}") from error
    finally:
        with contextlib.suppress(OSError, ValueError):
            part.unlink()


def check_skops(data, limit, trusted, scorer_functions):
    """Raise for a skops archive that exceeds the size limit, or that could call a function.

    skops trusts a name anywhere in the schema, and would therefore call a trusted function in place
    of a type. Here a function may only be passed on, never be called; `scorer_functions` are those
    of `trusted` that are accepted inside a scorer only.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # skops reads members whole: a compressed one might hold more than it declares.
        _check_sizes(archive, limit, zipfile.ZIP_STORED)
        schema = json.loads(_read(archive, "schema.json"))
        protocol = schema["protocol"]
        if type(protocol) is not int or protocol < FIRST_PROTOCOL:
            raise ModelFileError(f"its skops protocol is {protocol!r}")
        _SchemaCheck(archive, limit, trusted, scorer_functions).outline(schema)


class _SchemaCheck:
    def __init__(self, archive, limit, trusted, scorer_functions):
        self.archive = archive
        self.limit = limit
        self.trusted = trusted
        self.scorer_functions = scorer_functions
        self.n_bytes = 0
        self.outlines: dict[Any, Any] = {}

    def outline(self, value, key=None, loaders=None):
        """Check a part of the schema; return the content that must be equal for equal ids.

        skops builds an object once per id, and reuses it for further nodes with that id whatever
        their content. The content must therefore be equal, or skops would build something else
        than is checked.
        """
        if isinstance(value, list):
            return tuple(self.outline(item, key, loaders) for item in value)
        if not isinstance(value, dict):
            return value
        identity = value.get("__id__")
        identity = None if isinstance(identity, dict) else identity
        if isinstance(value.get("__loader__"), str):
            self._check_node(value, key, loaders)
            if identity is None or identity not in self.outlines:
                self._count_bytes(value)
        parts = tuple(
            (name, self.outline(part, name, CALLED_KEYS.get(name, loaders)))
            for name, part in value.items()
            if name not in ("__id__", "file") or isinstance(part, dict | list)
        )
        if identity is not None and self.outlines.setdefault(identity, parts) != parts:
            raise ModelFileError(f"two different things in it have the same id {identity!r}")
        return parts

    def _check_node(self, node, key, loaders):
        module, attribute = node["__module__"], node["__class__"]
        name, loader = f"{module}.{attribute}", node["__loader__"]
        if loaders is not None and loader not in loaders:
            raise ModelFileError(f"{name} stands where only a type may")
        if loader == "FunctionNode":
            if name in self.scorer_functions and key != FUNCTION_KEY:
                raise ModelFileError(f"the function {name} stands outside a scorer")
        elif name in self.trusted:
            value = getattr(importlib.import_module(module), attribute)
            if not isinstance(value, type):
                raise ModelFileError(f"the function {name} stands where it would be called")

    def _count_bytes(self, node):
        if not isinstance(node.get("file"), str):
            return
        self.n_bytes += self.archive.getinfo(node["file"]).file_size
        if node["__loader__"] == "SparseMatrixNode":  # its file is a zip again
            with zipfile.ZipFile(io.BytesIO(_read(self.archive, node["file"]))) as inner:
                self.n_bytes += sum(info.file_size for info in inner.infolist())
        _check_total(self.n_bytes, self.limit)


def _check_sizes(archive, limit, compression):
    for info in archive.infolist():
        if info.compress_type not in (zipfile.ZIP_STORED, compression):
            raise ModelFileError(
                f"{info.filename!r} in it is compressed in a way that save_model does not use"
            )
    _check_total(sum(info.file_size for info in archive.infolist()), limit)


def _check_total(n_bytes, limit):
    if n_bytes > limit:
        raise ModelFileError(
            f"it would unpack to {n_bytes / 2**20:.0f} MiB, and a file of its size may unpack to "
            f"{limit / 2**20:.0f} MiB"
        )


def _read(archive, name):
    info = archive.getinfo(name)
    with archive.open(info) as member:
        # The declared size was checked; read() without it would unpack any size.
        return member.read(info.file_size)
