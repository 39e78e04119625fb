"""Bytes of model files: a JSON text and dense arrays, in the layout of safetensors.

The size of every array is compared to that of the file before anything is allocated, and the
number of values in a JSON text is limited before it is parsed. The errors hold a reason only;
`_model_file` adds the name of the file.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_ser.exceptions import ModelFileError
from sklearn_ser.utils._files import replace_files

MAX_FILE_BYTES = 4 * 2**30
MAX_HEADER_BYTES = 8 * 2**20
#: Limit of the number of values in a JSON text, whose objects take up to 100 bytes each.
MAX_VALUES = 300_000

#: Key of the JSON text in the metadata of the header.
_KEY = "sklearn_ser"
_DTYPES = {
    name: np.dtype(code)
    for name, code in {
        "F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "|u1", "BOOL": "|b1",
    }.items()
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def container_of(text: str, arrays: dict[str, np.ndarray]) -> list[bytes | memoryview]:
    """Return the parts of a file of a JSON text and arrays."""
    header: dict[str, Any] = {"__metadata__": {_KEY: text}}
    end = 0
    for name, array in arrays.items():
        if array.dtype not in _NAMES:
            raise ModelFileError(
                f"{name} is an array of dtype {array.dtype}, and a model file holds arrays of "
                f"{', '.join(map(str, _NAMES))}, and strings"
            )
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, end],
        }  # fmt: skip
    content = json.dumps(header).encode()
    content += b" " * (-len(content) % 8)
    _check_header(len(content), 8 + len(content) + end)
    _check_values(text.encode())
    _check_values(content)
    parts = [len(content).to_bytes(8, "little"), content]
    return [*parts, *(_buffer(array) for array in arrays.values() if array.nbytes)]


def read_container(path: Path, *, with_arrays: bool = True) -> tuple[Any, dict[str, np.ndarray]]:
    """Return the parsed JSON text of a file, and its arrays by name."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        if start[:4] == b"PK\x03\x04":
            raise ModelFileError(
                "it is a zip archive, as sklearn_ser wrote before format 3: fit the model again "
                "and save it, or load it by the sklearn_ser that wrote it"
            )
        n_bytes = int.from_bytes(start, "little")
        _check_header(n_bytes, size)
        header = parse(file.read(n_bytes))
        metadata = header.pop("__metadata__", None) if isinstance(header, dict) else None
        if not isinstance(metadata, dict) or not isinstance(metadata.get(_KEY), str):
            raise ModelFileError("its header does not hold what save_model writes")
        content = parse(metadata.pop(_KEY).encode())
        if not with_arrays:
            return content, {}
        kinds = _checked_arrays(header, size - 8 - n_bytes)
        return content, {name: _read(file, name, *kind) for name, kind in kinds.items()}


def parse(text: bytes) -> Any:
    """Parse a JSON text whose number of values is within the limit."""
    _check_values(text)
    # ASCII with escapes only, as written: other strings may take four times their bytes.
    return json.loads(text.decode("ascii"), parse_constant=_fail_constant)


def checked_target(path: str | os.PathLike[str]) -> Path:
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


def write_file(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Replace a file atomically by the concatenated parts."""
    try:
        replace_files({path: parts})
    except (OSError, ValueError) as error:
        raise ModelFileError(f"cannot write the model file {str(path)!r}: {error}") from error


def _check_header(n_bytes, size):
    if size > MAX_FILE_BYTES:
        raise ModelFileError(f"it has {size} bytes, and a model file has at most {MAX_FILE_BYTES}")
    if not 2 <= n_bytes <= min(MAX_HEADER_BYTES, size - 8):
        raise ModelFileError(
            f"its header of {n_bytes} bytes does not fit in its {size} bytes, or exceeds the "
            f"limit of {MAX_HEADER_BYTES}"
        )


def _check_values(text):
    n_values = sum(map(text.count, (b",", b":", b"[", b"{")))
    if n_values > MAX_VALUES:
        raise ModelFileError(
            f"it holds {n_values} values apart from arrays, and a model file holds at most "
            f"{MAX_VALUES}"
        )


def _fail_constant(name):
    raise ModelFileError(f"its header holds {name}")


def _checked_arrays(header, n_bytes):
    """Return the dtype and shape of each array, which must fill `n_bytes` without gaps."""
    kinds, end = {}, 0
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise ModelFileError(f"the array {name!r} has no dtype, shape and data_offsets")
        dtype, shape = entry["dtype"], entry["shape"]
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise ModelFileError(f"the array {name!r} has the dtype {str(dtype)[:40]!r}")
        is_shape = isinstance(shape, list) and len(shape) <= 8
        if not is_shape or not all(type(size) is int and 0 <= size < 2**40 for size in shape):
            raise ModelFileError(f"the array {name!r} has no valid shape")
        start, end = end, end + math.prod(shape) * _DTYPES[dtype].itemsize
        if entry["data_offsets"] != [start, end]:
            raise ModelFileError(f"the array {name!r} is not at the bytes {start} to {end}")
        kinds[name] = _DTYPES[dtype], tuple(shape)
    if end != n_bytes:
        raise ModelFileError(f"its arrays have {end} bytes, and {n_bytes} follow its header")
    return kinds


def _read(file, name, dtype, shape):
    array = np.empty(shape, dtype)
    if array.nbytes and file.readinto(_buffer(array)) != array.nbytes:
        raise ModelFileError(f"it ends within the array {name!r}")
    if dtype.kind == "b" and (array.view(np.uint8) > 1).any():
        raise ModelFileError(f"the array {name!r} holds bytes that are not truth values")
    return array


def _buffer(array):
    return memoryview(array).cast("B")
