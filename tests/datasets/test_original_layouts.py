"""Corpora in their original layouts: readers against trees that were written independently."""

import re
import shutil
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from sklearn_ser import datasets
from sklearn_ser.datasets import Corpus, list_corpora, load_corpus
from sklearn_ser.exceptions import CorpusError
from tests.datasets.original_layouts import CONTAINER, LAYOUTS, WAV, Tree

#: Place of the recordings of ../shared/corpora, which keep their names, in the original layout.
REAL = {
    "emodb": "wav/{stem}.wav",
    "ravdess": "Actor_{speaker}/{stem}.wav",
    "urdu": "{Emotion}/{stem}.wav",
    "turev-db": "Sound Source/{Emotion}/{stem}.wav",
    "baved": "{text_id}/{stem}.wav",
}

VALUES = ("emotion", "gender", "naturalness", "language")
GROUPS = ("speaker", "text", "recording", "intensity", "split")
NUMBERS = ("arousal", "valence", "dominance", "naturalness_rating")


def names_of_readers():
    """Return the names of the corpora that the package reads in their original layout."""
    return set(list_corpora().index)


def files_reported(corpus, root):
    """Return the files, relative to `root`, that a corpus reports as left out."""
    return {_relative(file, root) for file in corpus.dropped_rows["file"]}


@pytest.fixture(params=LAYOUTS, ids=lambda layout: layout.id)
def layout(request):
    if request.param.name not in names_of_readers():
        pytest.skip("the package has no reader of this corpus yet")
    return request.param


@pytest.fixture
def tree(layout, tmp_path):
    return layout.write(tmp_path / "corpus")


def load(name, root, **options):
    """Load a corpus; return it with the messages of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        corpus = load_corpus(name, root, **options)
    assert all(issubclass(w.category, UserWarning) for w in caught)
    return corpus, [str(w.message) for w in caught]


def differences(corpus, tree):
    """Return where a corpus differs from the rows of a tree, as lines of text."""
    frame = corpus.frame.reset_index(drop=True)
    frame = frame.assign(file=[_relative(file, tree.root) for file in frame["file"]])
    if "split" not in frame.columns and "fold" in frame.columns:
        frame = frame.assign(split=frame["fold"])
    found = {_key(row): i for i, row in enumerate(frame.to_dict("records"))}
    expected = {_key(row): row for row in tree.rows}
    lines = [f"missing: {key}" for key in expected if key not in found]
    lines += [f"not expected: {key}" for key in found if key not in expected]
    if len(frame) != len(found):
        lines.append(f"{len(frame)} rows for {len(found)} utterances")
    keys = [key for key in expected if key in found]
    for column in (*VALUES, *GROUPS, *NUMBERS):
        checked = [key for key in keys if column in expected[key]]
        if checked and column not in frame.columns:
            if any(expected[key][column] is not None for key in checked):
                lines.append(f"no column {column}")
            continue
        is_ = [_none_if_missing(frame[column][found[key]]) for key in checked] if checked else []
        should = [expected[key][column] for key in checked]
        if column in GROUPS:
            lines += _differences_of_groups(column, checked, is_, should)
            continue
        agree = _agree_as_numbers if column in NUMBERS else _agree
        lines += [
            f"{column} of {key}: {a!r}, expected {b!r}"
            for key, a, b in zip(checked, is_, should, strict=True)
            if not agree(a, b)
        ]
    return lines + _differences_of_votes(corpus, keys, found, expected)


def _differences_of_groups(column, keys, is_, should):
    """Compare two groupings: the same rows together, whatever the names of the groups."""
    pairs = Counter(zip(is_, should, strict=True))
    lines = []
    for a, b in pairs:
        others = [(c, d) for c, d in pairs if (c == a) != (d == b)]
        if (a is None) != (b is None) or others:
            file = keys[[*zip(is_, should, strict=True)].index((a, b))]
            lines.append(f"{column} of {file}: {a!r} for {b!r}; in other rows {others[:3]}")
    return lines


def _differences_of_votes(corpus, keys, found, expected):
    keys = [key for key in keys if "votes" in expected[key]]
    if not keys:
        return []
    votes = getattr(corpus, "votes", None)
    if votes is None:
        return ["no votes"]
    counts = votes.reset_index(drop=True).to_dict("records")
    lines = []
    for key in keys:
        is_ = {label: int(n) for label, n in counts[found[key]].items() if n > 0}
        should = dict(expected[key]["votes"])
        is_.pop("other", None)
        should.pop("other", None)
        if is_ != should:
            lines.append(f"votes of {key}: {is_}, expected {should}")
    return lines


def _relative(file, root):
    return str(file).replace("\\", "/").removeprefix(f"{root.as_posix()}/")


def _key(row):
    """Return the file of a row, with the times if it is a part of the file."""
    times = [_none_if_missing(row.get(column)) for column in ("start", "end")]
    return row["file"] if None in times else (row["file"], *(round(t, 2) for t in times))


def _none_if_missing(value):
    return None if value is None or (isinstance(value, float) and np.isnan(value)) else value


def _agree(is_, should):
    is_ = is_.split("-")[0] if isinstance(is_, str) and re.match(r"[a-z]{2}-", is_) else is_
    return is_ in should if isinstance(should, tuple) else is_ == should


def _agree_as_numbers(is_, should):
    if is_ is None or should is None:
        return is_ is should
    return is_ == pytest.approx(should, abs=1e-6)


def numbers_in(text):
    """Return the whole numbers in a text, also those written 1,440."""
    return {
        int(n)
        for n in re.findall(r"(?<![\w.])\d+(?![\w.]*\d)", re.sub(r"(?<=\d),(?=\d{3})", "", text))
    }


# ------------------------------------------------------------------------------------ the trees


def test_every_tree_has_a_reader_and_every_reader_a_tree():
    assert names_of_readers() == {layout.name for layout in LAYOUTS}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.id)
def test_trees_are_sound(layout, tmp_path):
    tree = layout.write(tmp_path)
    keys = [_key(row) for row in tree.rows]
    assert len(set(keys)) == len(keys) >= 7
    files = {row["file"] for row in tree.rows}
    assert all((tmp_path / file).is_file() for file in [*files, *tree.unknown])
    assert not files & set(tree.unknown)
    known = {column for row in tree.rows for column in row}
    assert known <= {"file", "start", "end", "votes", *VALUES, *GROUPS, *NUMBERS}
    assert {"speaker", "emotion", "language", "naturalness"} <= known
    assert len({row["speaker"] for row in tree.rows}) > 1 or layout.name in (
        "emns",
        "thorsten-emotional",
    )
    for row in tree.rows:
        for number in (row.get(column) for column in NUMBERS):
            assert number is None or 0 <= number <= 1
        for column in ("emotion", "gender", "naturalness"):
            for value in np.atleast_1d(np.array(row.get(column), dtype=object)):
                assert value is None or value == value.lower()


def _as_corpus(rows, root):
    """Return the corpus of a right reader for the rows of a tree."""
    columns = dict.fromkeys(("corpus", "text", *VALUES, *(c for row in rows for c in row)))
    columns.pop("votes", None)
    table = {column: [row.get(column) for row in rows] for column in columns}
    for column, values in table.items():
        if column in VALUES:
            table[column] = [v[0] if isinstance(v, tuple) else v for v in values]
        elif column in GROUPS:
            table[column] = [None if v is None else str(v) for v in values]
    table["file"] = [str(root / file) for file in table["file"]]
    corpus = Corpus(pd.DataFrame(table, dtype=object), "x")
    corpus.votes = pd.DataFrame([row.get("votes") or {} for row in rows]).fillna(0)
    return corpus


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.id)
def test_right_tables_have_no_differences(layout, tmp_path):
    tree = layout.write(tmp_path)
    assert differences(_as_corpus(tree.rows, tmp_path), tree) == []


def _change(column, value):
    return lambda rows: [rows[0] | {column: value}, *rows[1:]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[1:], ["missing: a.wav"]),
        (lambda rows: [*rows, rows[0]], ["4 rows for 3 utterances"]),
        (lambda rows: [*rows, rows[0] | {"file": "x.wav"}], ["not expected: x.wav"]),
        (_change("emotion", "fear"), ["emotion of a.wav: 'fear', expected ('anger', 'rage')"]),
        (_change("emotion", None), ["emotion of a.wav: None, expected ('anger', 'rage')"]),
        (_change("arousal", 1.0), ["arousal of a.wav: 1.0, expected 0.25"]),
        (_change("arousal", None), ["arousal of a.wav: None, expected 0.25"]),
        (_change("votes", {}), ["votes of a.wav: {}, expected {'anger': 2}"]),
        (
            _change("speaker", "2"),  # two people in one
            [
                "speaker of a.wav: '2' for '1'; in other rows [('1', '1'), ('2', '2')]",
                "speaker of b.wav: '1' for '1'; in other rows [('2', '1')]",
                "speaker of c.wav: '2' for '2'; in other rows [('2', '1')]",
            ],
        ),
        (
            _change("speaker", "3"),  # one person in two
            [
                "speaker of a.wav: '3' for '1'; in other rows [('1', '1')]",
                "speaker of b.wav: '1' for '1'; in other rows [('3', '1')]",
            ],
        ),
        (_change("text", "1"), ["text of a.wav: '1' for None; in other rows [(None, None)]"]),
    ],
)
def test_differences_are_found(change, said, tmp_path):
    rows = [
        {"file": "a.wav", "speaker": "1", "emotion": ("anger", "rage"), "arousal": 0.25},
        {"file": "b.wav", "speaker": "1", "emotion": None},
        {"file": "c.wav", "speaker": "2", "emotion": "anger"},
    ]
    rows[0]["votes"] = {"anger": 2}
    rows = [{"text": None, **row} for row in rows]
    assert (
        differences(_as_corpus(change(rows), tmp_path), Tree(tmp_path, rows))[: len(said)] == said
    )


# ---------------------------------------------------------------------------------- the readers


def test_table_of_an_original_layout(layout, tree):
    corpus, _ = load(layout.name, tree.root)
    assert differences(corpus, tree) == []
    reported = files_reported(corpus, tree.root)
    assert set(tree.unknown) <= reported
    assert not reported & {row["file"] for row in tree.rows}
    assert corpus.name == layout.name


def test_detection_of_an_original_layout(layout, tree):
    assert datasets.detect_corpus(tree.root) == layout.name


def test_auto_reads_the_detected_layout(layout, tree):
    corpus, _ = load("auto", tree.root)
    assert corpus.name == layout.name
    assert differences(corpus, tree) == []


def test_half_of_a_corpus_warns_once_with_both_counts(layout, tree):
    if layout.totals is None:
        pytest.skip("the complete corpus has no known number of utterances")
    files = sorted({row["file"] for row in tree.rows})
    for file in map(tree.root.joinpath, files[1::2]):
        for of_utterance in [path for path in file.parent.iterdir() if path.stem == file.stem]:
            of_utterance.unlink()
    tree.rows = [row for row in tree.rows if row["file"] in files[::2]]
    corpus, messages = load(layout.name, tree.root)
    assert differences(corpus, tree) == []
    assert len(messages) == 1
    numbers = numbers_in(messages[0])
    assert len(tree.rows) in numbers
    assert numbers & set(layout.totals) or not layout.totals
    assert max(numbers) > len(tree.rows)


def test_an_unrelated_folder_is_one_error(layout, tmp_path):
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a song.wav").write_bytes(WAV)
    (tmp_path / "notes.txt").write_text("nothing of a corpus")
    with pytest.raises(CorpusError, match=re.escape(repr(layout.name))) as error:
        load(layout.name, tmp_path)
    assert "songs/a song.wav" in str(error.value)


def test_the_folder_of_another_corpus_is_named_in_the_error(layout, tree):
    other = "emodb" if layout.name != "emodb" else "ravdess"
    with pytest.raises(CorpusError, match=re.escape(repr(layout.name))):
        load(other, tree.root)


def test_an_unknown_audio_file_is_reported(layout, tree):
    suffix = "." + tree.rows[0]["file"].rsplit(".", 1)[1]
    extra = f"an unknown take{suffix}"
    (tree.root / extra).write_bytes(WAV if suffix == ".wav" else CONTAINER)
    corpus, _ = load(layout.name, tree.root)
    assert differences(corpus, tree) == []
    assert extra in files_reported(corpus, tree.root)


def test_a_copied_tree_elsewhere_gives_the_same_table(layout, tree, tmp_path):
    moved = tmp_path / "a folder" / "with blanks"
    shutil.copytree(tree.root, moved)
    corpus, _ = load(layout.name, str(moved))
    assert differences(corpus, Tree(moved, tree.rows)) == []


@pytest.mark.parametrize(
    ("name", "file", "columns"),
    [
        (
            "enterface05",
            "subject 6/anger/s6_an.avi",
            {"speaker": 6, "emotion": "anger", "language": "en", "text": None},
        ),
        (
            "turev-db",
            "Sound Source/Sad/7895_hl_beste1.wav",
            {"speaker": "7895", "emotion": "sadness", "language": "tr", "text": "beste"},
        ),
    ],
)
def test_irregular_names_of_the_releases(name, file, columns, tmp_path):
    tree = next(layout for layout in LAYOUTS if layout.name == name).write(tmp_path)
    tree.utterance(file, **columns)
    corpus, _ = load(name, tmp_path)
    assert differences(corpus, tree) == []


def test_votes_of_crema_d_from_their_counts(tmp_path):
    tree = next(layout for layout in LAYOUTS if layout.name == "crema-d").write(tmp_path)
    # A clone without git-lfs lacks the answers of the raters, but has their counts.
    (tmp_path / "finishedResponses.csv").unlink()
    corpus, _ = load("crema-d", tmp_path)
    assert differences(corpus, tree) == []


# -------------------------------------------------------------------------------- real recordings


def real_tree(name, corpora, root):
    """Link the recordings of a corpus into its original layout; return the tree."""
    folder = corpora / name.removesuffix("-db")
    metadata = pd.read_csv(folder / "metadata.csv", dtype=str, keep_default_na=False)
    adjectives = {"anger": "Angry", "happiness": "Happy", "sadness": "Sad"}
    tree = Tree(root)
    for row in metadata.to_dict("records"):
        stem = row["file"].removeprefix("audio/").removesuffix(".flac")
        emotion = adjectives.get(row["emotion"], row["emotion"].title())
        file = REAL[name].format(stem=stem, Emotion=emotion, **row)
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).symlink_to(folder / row["file"])
        columns = {column: row[column] for column in (*VALUES, "speaker")}
        columns["text"] = row["text_id"] or None
        if name == "turev-db":  # the sex is known from the pitch alone
            columns["gender"] = (row["gender"], None)
        if name == "baved":  # levels of expression, no emotions
            columns["emotion"] = ("neutral", None) if row["emotion"] == "neutral" else None
        if row["intensity"] in ("normal", "strong"):
            columns["intensity"] = row["intensity"]
        tree.rows.append({"file": file, **columns})
    return tree


@pytest.mark.parametrize("name", REAL)
def test_recordings_under_their_original_names(name, shared, tmp_path):
    tree = real_tree(name, shared / "corpora", tmp_path)
    assert differences(_as_corpus(tree.rows, tmp_path), tree) == []
    if name not in names_of_readers():
        pytest.skip("the package has no reader of this corpus yet")
    assert datasets.detect_corpus(tmp_path) == name
    corpus, _ = load(name, tmp_path, drop_duplicates=False)
    assert differences(corpus, tree) == []
