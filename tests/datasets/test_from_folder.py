import re

import pytest

from sklearn_ser.datasets import corpus_from_folder, load_corpus
from sklearn_ser.exceptions import CorpusError, CorpusWarning


@pytest.fixture
def tree(tmp_path):
    def create(*files):
        for file in files:
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return create


def fields_of(pattern, *columns):
    matches = corpus_from_folder(pattern, dry_run=True)
    return matches.loc[matches["reason"].isna(), list(columns)].to_numpy().tolist()


def reasons_of(pattern):
    return corpus_from_folder(pattern, dry_run=True).set_index("file")["reason"].to_dict()


def test_fields_become_columns(tree):
    root = tree("angry/01_hello.wav", "sad/02_bye.wav", "readme.txt")
    corpus = corpus_from_folder(root / "{emotion}" / "{speaker}_{text}.wav", name="mine")
    frame = corpus.frame
    assert frame["emotion"].tolist() == ["anger", "sadness"]
    assert frame["speaker"].tolist() == ["mine/01", "mine/02"]
    assert frame["text"].tolist() == ["mine/hello", "mine/bye"]
    assert frame["file"].tolist() == [
        str(root / "angry/01_hello.wav"),
        str(root / "sad/02_bye.wav"),
    ]
    assert corpus.dropped_rows.empty


def test_load_corpus_takes_a_pattern(tree):
    root = tree("furious/01.wav")
    corpus = load_corpus(f"{root}/{{emotion}}/{{speaker}}.wav", emotion_map={"furious": "anger"})
    assert corpus.name == root.name
    assert corpus.frame["emotion"].tolist() == ["anger"]


def test_fields_are_as_short_as_possible_or_of_given_width(tree):
    root = tree("03a01Fa.wav", "a_b_c.wav")
    pattern = f"{root}/{{speaker:2}}a{{text:d}}{{code:1}}*.wav"
    assert fields_of(pattern, "speaker", "text", "code") == [["03", "01", "F"]]
    assert fields_of(f"{root}/{{speaker}}_{{emotion}}.wav", "speaker", "emotion") == [["a", "b_c"]]
    assert fields_of(f"{root}/{{speaker:d}}{{rest}}.wav", "speaker", "rest") == [["03", "a01Fa"]]


def test_wildcards(tree):
    root = tree("x/y/a-1.wav", "x/b-1.wav", "c-2.wav")
    assert fields_of(f"{root}/**/{{speaker}}-1.wav", "speaker") == [["b"], ["a"]]
    assert fields_of(f"{root}/x/*/{{speaker}}-?.wav", "speaker") == [["a"]]
    assert fields_of(f"{root}/**/{{speaker}}-*", "speaker") == [["c"], ["b"], ["a"]]


def test_brackets_and_dots_are_text(tree):
    root = tree("[old] set/a.1.wav", "o set/a.1.wav", "[old] set/ax1.wav")
    assert fields_of(f"{root}/[old] set/{{speaker}}.1.wav", "file") == [["a.1.wav"]]


def test_repeated_fields_must_agree(tree):
    root = tree("01/angry/01_a_b.wav", "01/angry/02_a.wav", "a_b/sad/a_b_c.wav")
    pattern = f"{root}/{{speaker}}/{{emotion}}/{{speaker}}_*.wav"
    assert fields_of(pattern, "speaker") == [["01"], ["a_b"]]
    assert reasons_of(pattern)["01/angry/02_a.wav"] == "has '01' and '02' as speaker"


def test_suffix_in_any_case_and_one_of_several_formats(tree):
    root = tree("a.WAV", "b.flac", "b.wav", "c.mp3")
    assert fields_of(f"{root}/{{speaker}}.wav", "speaker") == [["a"], ["b"]]
    assert reasons_of(f"{root}/{{speaker}}.*") == {
        "a.WAV": None,
        "b.wav": None,
        "b.flac": "other format of 'b.wav'",
        "c.mp3": None,
    }


def test_what_does_not_match_is_listed(tree):
    root = tree("angry/01_a.wav", "angry/extra.wav", "angry/sub/02_a.wav")
    pattern = f"{root}/{{emotion}}/{{speaker}}_*.wav"
    with pytest.warns(CorpusWarning, match=r"2 of the 3 audio files below .* first 'angry/extra"):
        corpus = corpus_from_folder(pattern)
    assert corpus.dropped_rows["file"].tolist() == [
        str(root / "angry/extra.wav"),
        str(root / "angry/sub/02_a.wav"),
    ]
    assert corpus.dropped_rows["reason"].tolist() == [
        "fits up to '{emotion}/', then expected '{speaker}_*.wav', found 'extra.wav'",
        "fits up to '{emotion}/', then expected '{speaker}_*.wav', found 'sub/02_a.wav'",
    ]


def test_no_match_shows_the_nearest_miss(tree):
    root = tree("x.wav", "y.wav", "z.wav", "z/angry-01.wav")
    message = (
        f"none of the 4 audio files below {str(root)!r} matches "
        f"'{root}/{{emotion}}/{{speaker}}_*': "
        f"first 'x.wav', 'y.wav', 'z.wav'. The nearest is 'z/angry-01.wav': it fits up to "
        f"'{{emotion}}/', then expected '{{speaker}}_*', found 'angry-01.wav'. Change the pattern; "
        f"dry_run=True lists all files."
    )
    with pytest.raises(CorpusError, match=re.escape(message)):
        corpus_from_folder(f"{root}/{{emotion}}/{{speaker}}_*")


def test_further_columns(tree):
    root = tree("f1/01.wav", "m1/02.wav")
    corpus = corpus_from_folder(
        f"{root}/{{speaker}}/{{take:d}}.wav",
        columns={"naturalness": "acted", "gender": lambda table: table["speaker"].str[0]},
    )
    assert corpus.frame["gender"].tolist() == ["female", "male"]
    assert corpus.frame["naturalness"].tolist() == ["acted", "acted"]
    assert corpus.frame["take"].tolist() == ["01", "02"]


def test_missing_folder_and_no_audio(tree):
    root = tree("sounds/readme.txt")
    with pytest.raises(CorpusError, match=r"no folder '.*/sound' of .*Did you mean '.*/sounds'\?"):
        corpus_from_folder(f"{root}/sound/wav/{{speaker}}.wav")
    with pytest.raises(
        CorpusError, match=r"there is no audio file below '.*sounds'; expected paths"
    ):
        corpus_from_folder(f"{root}/sounds/{{speaker}}.wav")


@pytest.mark.parametrize("field", ["{}", "{speaker", "{file}", "{a b}", "{speaker:x}"])
def test_invalid_fields(tree, field):
    with pytest.raises(CorpusError, match=r"expected a field such as '\{speaker\}'"):
        corpus_from_folder(f"{tree('a.wav')}/{field}*.wav")


def test_without_speakers(tree):
    with pytest.raises(CorpusError, match=r"lacks the column\(s\) \['speaker'\]"):
        corpus_from_folder(f"{tree('angry/a.wav')}/{{emotion}}/*.wav")


def test_an_empty_pattern():
    with pytest.raises(CorpusError, match="the pattern '' names no file; expected one such as"):
        corpus_from_folder("")
