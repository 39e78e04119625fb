"""ESD, the Emotional Speech Database."""

from pathlib import Path

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Table, folds_of

_SPEAKERS = tuple(f"{n:04}" for n in range(1, 21))
_MEN = ("0004", "0005", "0006", "0008", "0010", "0011", "0012", "0013", "0014", "0020")
_CHINESE = _SPEAKERS[:10]
_NOUNS = {
    "Angry": "anger",
    "Happy": "happiness",
    "Neutral": "neutral",
    "Sad": "sadness",
    "Surprise": "surprise",
}
_REST = (
    r"/(?P<emo>Angry|Happy|Neutral|Sad|Surprise)/(?:(?P<part>evaluation|test|train)/)?(?P=speaker)_"
)


def _transcripts(path):
    """Return the transcripts of a speaker."""
    lines = [line.split("\t") for line in _decode(path).splitlines()]
    return pd.DataFrame(
        [[cell.strip() for cell in line[:2]] for line in lines if len(line) == 3],
        columns=["utterance", "transcript"],
        dtype=object,
    )


def _decode(path):
    """Return the text of a file; the speakers' files have four encodings."""
    content = Path(path).read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030" if Path(path).stem in _CHINESE else "latin-1", "replace")


READER = CorpusReader(
    name="esd",
    title=(
        "Emotional Speech Database (ESD): 10 Chinese and 10 English speakers read 350 parallel "
        "sentences of their language in 5 acted emotions."
    ),
    languages=("zh", "en"),
    kinds=("acted",),
    license="For research",
    citation=(
        "K. Zhou, B. Sisman, R. Liu, H. Li: Seen and Unseen Emotional Style Transfer for Voice "
        "Conversion with a New Emotional Speech Dataset. ICASSP 2021, 920-924."
    ),
    homepage="https://github.com/HLTSingapore/Emotional-Speech-Data",
    files=(
        rf"(?P<speaker>00(?:0[1-9]|10)){_REST}(?P<zh>\d{{6}})",
        rf"(?P<speaker>00(?:1[1-9]|20)){_REST}(?P<en>\d{{6}})",
    ),
    example="0001/Angry/0001_000351.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded(
            "{speaker}", dict.fromkeys(_SPEAKERS, "female") | dict.fromkeys(_MEN, "male")
        ),
        "language": Coded(
            "{speaker}", dict.fromkeys(_SPEAKERS, "en") | dict.fromkeys(_CHINESE, "zh")
        ),
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        # Every emotion has the same 350 sentences in the same order.
        "text": Coded(
            ("zh{zh}", "en{en}"),
            {
                f"{language}{n:06}": f"{language}{(n - 1) % 350 + 1:03}"
                for language in ("zh", "en")
                for n in range(1, 1751)
            },
        ),
        "split": Coded("{part}", {"evaluation": "dev"}),
        "fold": Coded(
            "{speaker}",
            folds_of(
                *("0005 0011 0016 0018", "0012 0014 0015 0019", "0003 0004 0006 0009"),
                *("0007 0008 0013 0020", "0001 0002 0010 0017"),
            ),
        ),
        "transcript": "{transcript}",
    },
    tables=(
        Table(
            r"(?:00\d\d)/00\d\d\.txt",
            shown="0001/0001.txt (a table per speaker)",
            key="{utterance}",
            need="optional",
            read=_transcripts,
        ),
    ),
    # All, and one language.
    utterances=(35000, 17500),
    speakers=20,
    emotions=dict.fromkeys(_NOUNS.values(), 7000),
    folds="five folds of four speakers (EmoBox); split is the corpus's own, by sentences.",
    flaws=(Flaw("split_shares_speakers", "Every speaker is in all parts of the column split."),),
    uncertain="That the order of the sentences is the same in every emotion.",
    tried_on="original names",
)
