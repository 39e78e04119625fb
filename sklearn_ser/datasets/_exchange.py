"""Exchange of corpora with other libraries: audformat, audb and datasets of Hugging Face."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.audio._decoding import array_and_rate, encoded_content, path_of
from sklearn_ser.audio._signal import is_missing
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._extras import import_extra

#: Column of the parts of a corpus.
_SPLIT = "split"
#: Rate in Hz of arrays without one, the default of audio steps.
_DEFAULT_RATE = 16000


class DatasetAudio:
    """Audio file inside a table of Hugging Face: a binary file that is read when it is needed.

    Parameters
    ----------
    dataset : datasets.Dataset
        Data set with the audio alone, which is not decoded.
    row : int
        Row of the utterance.
    name : str or None
        Name of the file.
    """

    def __init__(self, dataset, row, name):
        self._dataset, self._row, self.name = dataset, row, name

    def __repr__(self) -> str:
        return f"DatasetAudio(row {self._row}, {self.name!r})"

    def read(self) -> bytes:
        """Return the content of the file."""
        (cell,) = self._dataset[self._row].values()
        return cell["bytes"]

    def seek(self, position: int) -> int:
        """Do nothing: `read` returns the whole content."""
        return position

    def tell(self) -> int:
        """Return 0, as `read` returns the whole content."""
        return 0


def is_dataset(source: Any) -> bool:
    """Whether an object is a Dataset, DatasetDict or another one of `datasets`."""
    return type(source).__module__.partition(".")[0] == "datasets" and "datasets" in sys.modules


def table_of_dataset(source: Any) -> pd.DataFrame:
    """Return the table of a Dataset or DatasetDict, with references to audio that is not read."""
    datasets = sys.modules["datasets"]
    if isinstance(source, datasets.DatasetDict):
        parts = [table_of_dataset(part).assign(split=name) for name, part in source.items()]
        return pd.concat(parts, ignore_index=True)
    if not isinstance(source, datasets.Dataset):
        raise CorpusError(
            f"load_corpus got a {type(source).__name__}; expected a Dataset or DatasetDict of the "
            f"package datasets. Load it without streaming=True."
        )
    audio = [name for name, of in source.features.items() if isinstance(of, datasets.Audio)]
    if len(audio) > 1:
        raise CorpusError(
            f"the data set has several columns of audio, {audio}; expected one. Remove the others: "
            f"dataset.remove_columns({audio[1:]})."
        )
    table = source.with_format(None).remove_columns(audio).to_pandas()
    for name, of in source.features.items():
        if isinstance(of, datasets.ClassLabel):
            names = dict(enumerate(of.names))
            table[name] = table[name].map(names).astype(object)
    if audio:
        undecoded = source.select_columns(audio).cast_column(audio[0], datasets.Audio(decode=False))
        table = table.drop(columns="file", errors="ignore")
        table.insert(0, "file", pd.Series(_references(undecoded, audio[0]), dtype=object))
    return table


def _references(undecoded, column):
    """Return the path of each row, or a reference to the file in the table."""
    import pyarrow.compute

    cells = undecoded.with_format("arrow")[:][column]
    paths = pyarrow.compute.struct_field(cells, "path").to_pylist()
    is_embedded = pyarrow.compute.is_valid(pyarrow.compute.struct_field(cells, "bytes"))
    return [
        DatasetAudio(undecoded, row, path) if embedded else path
        for row, (path, embedded) in enumerate(zip(paths, is_embedded.to_pylist(), strict=True))
    ]


def is_database(source: Any) -> bool:
    """Whether an object is an audformat Database."""
    return type(source).__module__.startswith("audformat") and hasattr(source, "schemes")


def table_of_database(database: Any) -> pd.DataFrame:
    """Return the utterances of an audformat Database with the values of all its schemes."""
    if "emotion" not in database.schemes:
        raise CorpusError(
            f"the audformat Database has no scheme 'emotion', but {sorted(database.schemes)}; "
            f"give the table with the labels, with the column 'emotion', instead."
        )
    fields = {
        field
        for scheme in database.schemes.values()
        if isinstance(scheme.labels, dict)
        for labels in scheme.labels.values()
        if isinstance(labels, dict)
        for field in labels
    }
    others = sorted({*database.schemes, *fields} - {"emotion", "file", "start", "end", "corpus"})
    table = database.get("emotion", others)
    if _SPLIT not in table and any(of.split_id for of in database.tables.values()):
        table[_SPLIT] = _splits(database, table.index)
    if "language" not in table and len(database.languages) == 1:
        table["language"] = _two_letters(database.languages[0])
    return table


def _splits(database, index):
    """Return the name of the split whose tables hold each utterance."""
    splits = pd.Series(None, index=index, dtype=object)
    for table in database.tables.values():
        if table.split_id:
            splits[index.isin(_like(table.index, index))] = table.split_id
    return splits.array


def _like(index, other):
    """Return a filewise index as a segmented one if another is."""
    import audformat

    return audformat.utils.to_segmented_index(index) if other.nlevels > index.nlevels else index


def _two_letters(language):
    """Return the ISO 639-1 code of a language of audformat, which has three letters."""
    from iso639 import Lang

    return Lang(language).pt1 or language


def facts_of(source: Any) -> tuple[str, str, str]:
    """Return description, license and citation of a Database or Dataset, "" where unknown."""
    if is_database(source):
        return source.description or "", str(source.license or ""), ""
    if is_dataset(source):
        of = next(iter(source.values())) if hasattr(source, "values") else source
        return of.description or "", of.license or "", of.citation or ""
    return "", "", ""


def to_database(corpus: Any) -> Any:
    """Return a corpus as an audformat Database, see `Corpus.to_audformat`."""
    audformat = import_extra("audformat", "audb", "Corpus.to_audformat")
    frame = corpus.frame
    files = _paths(frame, "to_audformat")
    database = audformat.Database(
        corpus.name,
        license=corpus.license or None,
        description="\n\n".join(filter(None, (corpus.description, corpus.citation))) or None,
    )
    if "start" in frame or "end" in frame:
        bounds = [
            pd.to_timedelta(frame.get(name, pd.Series(np.nan, frame.index)), unit="s")
            for name in ("start", "end")
        ]
        index = audformat.segmented_index(files, bounds[0].fillna(pd.Timedelta(0)), bounds[1])
    else:
        index = audformat.filewise_index(files)
    columns = [c for c in frame if c not in ("file", "start", "end", "corpus")]
    columns = [c for c in columns if c == "emotion" or frame[c].notna().any()]
    table = audformat.Table(index)
    database["utterances"] = table
    for name in columns:
        values = frame[name]
        kind = _scheme_kind(values)
        labels = sorted(values.dropna().unique()) if name == "emotion" else None
        database.schemes[name] = audformat.Scheme(None if labels else kind, labels=labels or None)
        table[name] = audformat.Column(scheme_id=name)
        table[name].set(values.array)
    return database


def _scheme_kind(values):
    if pd.api.types.is_bool_dtype(values):
        return "bool"
    if pd.api.types.is_integer_dtype(values):
        return "int"
    if pd.api.types.is_float_dtype(values):
        return "float"
    is_text = values.dropna().map(lambda value: isinstance(value, str)).all()
    return "str" if is_text else "object"


def _paths(frame, method):
    """Return the files of a frame as text; raise if one is no path."""
    paths = [path_of(file) for file in frame["file"]]
    if None in paths:
        raise CorpusError(
            f"row {paths.index(None)} has audio that is not a file; {method} stores paths. Write "
            f"the audio to files, or use to_dataset, which stores it."
        )
    return paths


def to_dataset(corpus: Any) -> Any:
    """Return a corpus as a data set of Hugging Face, see `Corpus.to_dataset`."""
    import pyarrow

    datasets = import_extra("datasets", "datasets", "Corpus.to_dataset")
    frame = corpus.frame
    columns = {"audio": [_audio_cell(file) for file in frame["file"]]}
    features = {"audio": datasets.Audio()}
    for name in frame.columns.drop("file"):
        values = frame[name].astype(object).where(frame[name].notna(), None).tolist()
        if name == "emotion":
            names = sorted(frame[name].dropna().unique())
            features[name] = datasets.ClassLabel(names=names)
            values = [None if value is None else names.index(value) for value in values]
        else:
            kind = {"bool": "bool", "int": "int64", "float": "float64"}
            features[name] = datasets.Value(kind.get(_scheme_kind(frame[name]), "string"))
        columns[name] = values
    # Dataset.from_dict would encode the audio, which needs torchcodec.
    schema = datasets.Features(features)
    table = pyarrow.table(columns, schema=schema.arrow_schema)
    info = datasets.DatasetInfo(
        description=corpus.description,
        license=corpus.license,
        citation=corpus.citation,
        features=schema,
    )
    return datasets.Dataset(datasets.table.InMemoryTable(table), info=info)


def _audio_cell(file):
    """Return the path or, for audio in memory, a float WAV file in the form of `datasets`."""
    import soundfile

    path = path_of(file)
    if path is not None:
        return {"path": path, "bytes": None}
    if isinstance(file, DatasetAudio):
        return {"path": file.name, "bytes": file.read()}
    encoded = encoded_content(file)
    if encoded is not None:
        return {"path": None, "bytes": encoded}
    array, rate = array_and_rate(file, _DEFAULT_RATE)
    content = io.BytesIO()
    soundfile.write(content, np.asarray(array).T, int(rate), format="WAV", subtype="FLOAT")
    return {"path": None, "bytes": content.getvalue()}


def to_csv(corpus: Any, path: str | os.PathLike[str]) -> None:
    """Write a corpus as a CSV file, see `Corpus.to_csv`."""
    folder = os.path.dirname(os.path.abspath(path))
    frame = corpus.frame
    files = [_relative(file, folder) for file in _paths(frame, "to_csv")]
    table = frame.assign(file=files)
    if "duplicate_of" in table:
        table["duplicate_of"] = [
            None if is_missing(file) else _relative(file, folder) for file in table["duplicate_of"]
        ]
    table.to_csv(path, index=False, encoding="utf-8")


def _relative(path, folder):
    """Return a path below a folder relative to it, another one unchanged."""
    relative = os.path.relpath(path, folder)
    return path if relative.startswith(os.pardir) else relative
