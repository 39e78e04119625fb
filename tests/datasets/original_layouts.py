"""Small synthetic trees of corpora in their original layouts, with the table of a right reader.

The trees are written from published descriptions of the corpora, independently of the readers. A
builder names every utterance with what is known of it; a column that is absent is not checked.

- ``emotion``, ``gender``, ``naturalness``, ``language``: the value (a tuple: any of these, where
  the sources disagree; None: no label). Regional tags of languages are left out (``en``).
- ``speaker``, ``text``, ``recording``, ``intensity``, ``split``: a group of rows; only the
  grouping counts, not its spelling. ``split`` stands for the column ``split`` or ``fold``.
- ``arousal``, ``valence``, ``dominance``, ``naturalness_rating``: numbers from 0 to 1.
- ``votes``: number of raters by emotion; votes for anything else ("other") are not compared.

Nouns for labels outside anger, happiness, sadness, neutral, fear, disgust, surprise, boredom, calm
and contempt: excited excitement, frustrated frustration, amused amusement, sleepy sleepiness, drunk
drunkenness, whisper whisper, anxious anxiety, apologetic apology, assertive assertiveness,
concerned concern, encouraging encouragement, sarcastic sarcasm, enthusiasm enthusiasm, emphatic
emphasis; despair, interest, shame and pride are nouns already. Joy, elation and positive are
happiness, panic is fear, pleasant surprise is surprise; hot and cold anger may stay apart.
"""

from __future__ import annotations

import io
import itertools
import wave
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np


def _noise_as_wav():
    """Return 0.1 s of seeded noise as the bytes of a wav file (16 kHz, mono, 16 bits)."""
    noise = np.random.default_rng(0).normal(0, 3000, 1600).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(noise.tobytes())
    return buffer.getvalue()


WAV = _noise_as_wav()
CONTAINER = b"not opened to load a corpus"


@dataclass
class Tree:
    """Files of a corpus in a folder, and what a reader must return for them.

    Parameters
    ----------
    root : Path
        Folder to which the files are written.

    Attributes
    ----------
    rows : list of dict
        One dict per utterance: file (relative to `root`), and what is known of it.
    unknown : list of str
        Files that are no utterances of the corpus and that the reader must report.
    common : dict
        Columns that are the same in all following utterances.
    """

    root: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    common: dict[str, Any] = field(default_factory=dict)

    def utterance(self, file: str, **columns: Any) -> None:
        """Write the audio of an utterance (once) and append its row."""
        if not (self.root / file).exists():
            self.beside(file)
        self.rows.append({"file": file, **self.common, **columns})

    def beside(self, file: str, content: str | bytes | None = None, encoding="utf-8") -> None:
        """Write a file that is part of the corpus but no utterance; audio without `content`."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            content = WAV if path.suffix == ".wav" else CONTAINER
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))

    def stray(self, file: str) -> None:
        """Write an audio file that the reader must report as unknown."""
        self.beside(file)
        self.unknown.append(file)


@dataclass(frozen=True)
class Layout:
    """A layout of a corpus.

    Parameters
    ----------
    name : str
        Name of the corpus for ``load_corpus``.
    build : callable
        Function that fills a `Tree`.
    variant : str
        Which of several releases or mirrors, if any.
    totals : tuple of int or None
        Number of utterances of the complete corpus (one of these; empty: depends on the release);
        None if it is not known, so that a part cannot be recognized.
    """

    name: str
    build: Callable[[Tree], None]
    variant: str
    totals: tuple[int, ...] | None

    @property
    def id(self) -> str:
        return f"{self.name}-{self.variant}" if self.variant else self.name

    def write(self, root: Path) -> Tree:
        """Write the tree to `root` and return it."""
        tree = Tree(root)
        self.build(tree)
        return tree


LAYOUTS: list[Layout] = []


def layout(name, *totals, variant="", total_unknown=False):
    """Register a builder of a tree in `LAYOUTS`."""

    def register(build):
        LAYOUTS.append(Layout(name, build, variant, None if total_unknown else totals))
        return build

    return register


_NOUNS = {
    "angry": "anger",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
    "joy": "happiness",
    "positive": "happiness",
    "neutrality": "neutral",
    "ps": "surprise",
    "excited": "excitement",
    "amused": "amusement",
    "disgusted": "disgust",
    "sleepy": "sleepiness",
    "drunk": "drunkenness",
    "anxious": "anxiety",
    "apologetic": "apology",
    "assertive": "assertiveness",
    "concerned": "concern",
    "encouraging": "encouragement",
    "sarcastic": "sarcasm",
}


def as_nouns(labels):
    """Return the noun of each label of a corpus; an item is ``label`` or ``label:noun``."""
    items = [item.partition(":") for item in labels.split()]
    return {label: noun or _NOUNS.get(label.lower(), label.lower()) for label, _, noun in items}


def table(*rows, sep=",", quoted=False):
    """Return rows of cells (or names with commas) as a table; cells that hold `sep` are quoted.

    Some programs quote all text: so does `quoted`.
    """
    rows = [row.split(",") if isinstance(row, str) else row for row in rows]
    cells = [
        [f'"{c}"' if sep in str(c) or (quoted and isinstance(c, str)) else str(c) for c in row]
        for row in rows
    ]
    return "".join(sep.join(row) + "\n" for row in cells)


def spreadsheet(**sheets):
    """Return sheets of rows of text as the bytes of an xlsx workbook with shared strings."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    strings: list[str] = []
    parts = {}
    for number, rows in enumerate(sheets.values(), 1):
        lines = []
        for r, row in enumerate(rows, 1):
            first = len(strings)
            strings += row
            cells = [
                f'<c r="{chr(65 + c)}{r}" t="s"><v>{first + c}</v></c>' for c in range(len(row))
            ]
            lines.append(f'<row r="{r}">{"".join(cells)}</row>')
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>'
        )
    numbered = list(enumerate(sheets, 1))
    listed = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="rId{i}"/>' for i, name in numbered)
    targets = [(f"rId{i}", "worksheet", f"worksheets/sheet{i}.xml") for i, _ in numbered]
    targets.append(("rId99", "sharedStrings", "sharedStrings.xml"))
    parts["xl/workbook.xml"] = (
        f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>'
    )
    parts["xl/sharedStrings.xml"] = (
        f'<sst xmlns="{main}" count="{len(strings)}" uniqueCount="{len(strings)}">'
        + "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
        + "</sst>"
    )

    def relations(rows):
        inner = "".join(
            f'<Relationship Id="{id_}" Type="{office}/{type_}" Target="{target}"/>'
            for id_, type_, target in rows
        )
        return f'<Relationships xmlns="{package}/relationships">{inner}</Relationships>'

    parts["xl/_rels/workbook.xml.rels"] = relations(targets)
    parts["_rels/.rels"] = relations([("rId1", "officeDocument", "xl/workbook.xml")])
    overrides = {"xl/workbook.xml": "sheet.main", "xl/sharedStrings.xml": "sharedStrings"} | {
        f"xl/worksheets/sheet{i}.xml": "worksheet" for i, _ in numbered
    }
    parts["[Content_Types].xml"] = (
        f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/>'
        + "".join(
            f'<Override PartName="/{part}" ContentType="{kind}.{type_}+xml"/>'
            for part, type_ in overrides.items()
        )
        + "</Types>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return buffer.getvalue()


# ------------------------------------------------------------------------ acted, by file name


def _emodb_utterances(tree):
    tree.common = {"language": "de", "naturalness": "acted"}
    for name, emotion, gender in [
        ("03a01Wa", "anger", "male"),
        ("03a02La", "boredom", "male"),
        ("08a01Wb", "anger", "female"),
        ("08b10Ec", "disgust", "female"),
        ("10a01Ad", "fear", "male"),
        ("11a02Fc", "happiness", "male"),
        ("13b10Ta", "sadness", "female"),
        ("16a01Nf", "neutral", "female"),
    ]:
        yield (name, {"emotion": emotion, "gender": gender, "speaker": name[:2], "text": name[2:5]})


@layout("emodb", 535)
def emodb(tree):
    for name, columns in _emodb_utterances(tree):
        tree.utterance(f"wav/{name}.wav", **columns)
    tree.beside("lablaut/03a01Wa.lablaut", "0.0 0.1 d\n")


@layout("emodb", 535, 816, variant="2.0")
def emodb_2(tree):
    # Certainty D: the column names; an umlaut somewhere makes latin-1 differ from UTF-8.
    lines = ["sample\trecognized\tnatural\tbemerkung"]
    for i, (name, columns) in enumerate(_emodb_utterances(tree)):
        judged = i != 5  # one recording is not in the table
        natural = 40 + 7.5 * i
        tree.utterance(
            f"wav/{name}.wav", naturalness_rating=natural / 100 if judged else None, **columns
        )
        if judged:
            lines.append(f"{name}.wav\t{90 + i},25\t{natural:.2f}\tgehört".replace(".", ","))
    lines = [line.replace(",wav", ".wav") for line in lines]
    lines.append("14a07Wc.wav\t12,00\t35,50\tnicht in wav")  # in the table only
    tree.beside("listener_judgements.txt", "\r\n".join(lines) + "\r\n", "latin-1")


_RAVDESS = as_nouns(
    "01:neutral 02:calm 03:happiness 04:sadness 05:anger 06:fear 07:disgust 08:surprise"
)


def _ravdess_utterances(tree, channel, emotions):
    tree.common = {"language": "en", "naturalness": "acted"}
    actors = [("01", "01"), ("02", "02"), ("11", "02")]
    for (actor, text), code, level in itertools.product(actors, emotions, ("01", "02")):
        if (code, level) == ("01", "02"):
            continue  # neutral is never strong
        tree.utterance(
            f"Actor_{actor}/03-{channel}-{code}-{level}-{text}-01-{actor}.wav",
            emotion=_RAVDESS[code],
            gender="male" if int(actor) % 2 else "female",
            speaker=actor,
            text=text,
            intensity=level,
        )


@layout("ravdess", 1440, 2452)
def ravdess(tree):
    _ravdess_utterances(tree, "01", list(_RAVDESS))


@layout("ravdess", 2452, variant="song")
def ravdess_song(tree):
    # Songs: the same actors (not 18), sentences and codes 01 to 06, in field 2 "02".
    _ravdess_utterances(tree, "01", ["01", "05"])
    _ravdess_utterances(tree, "02", ["01", "02", "05"])


@layout("crema-d", 7442)
def crema_d(tree):
    tree.common = {"language": "en", "naturalness": "acted"}
    nouns = as_nouns("A:anger D:disgust F:fear H:happiness N:neutral S:sadness")
    clips = [
        ("1001_IEO_ANG_LO", "male", "A" * 6 + "NND"),
        ("1001_IEO_ANG_HI", "male", "A" * 9),
        ("1001_DFA_NEU_XX", "male", "N" * 7 + "S"),
        ("1002_IEO_DIS_MD", "female", "D" * 4 + "A" * 4),  # a tie
        ("1002_IEO_FEA_HI", "female", "F" * 8),
        ("1040_ITH_SAD_X", "male", "S" * 5 + "N" * 4),  # X for XX
        ("1076_MTI_SAD_XX", "female", "N" * 9),  # a silent recording of the corpus
        ("1076_IEO_HAP_MD", "female", "H" * 7 + "NN"),
    ]
    emotions = dict(zip(("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"), nouns.values(), strict=True))
    answers = [
        ",localid,pos,ans,ttr,queryType,numTries,clipNum,questNum,subType,clipName,sessionNums,"
        "respEmo,respLevel,dispEmo,dispVal,dispLevel"
    ]
    tabulated = [",A,D,F,H,N,S,fileName,numResponses,agreement,emoVote"]
    names = [",Filename"]
    for number, (clip, gender, voice) in enumerate(clips, 1):
        actor, sentence, code, level = clip.split("_")
        columns = {} if level.startswith("X") else {"intensity": level}
        tree.utterance(
            f"AudioWAV/{clip}.wav",
            speaker=actor,
            text=sentence,
            emotion=emotions[code],
            gender=gender,
            votes={nouns[c]: voice.count(c) for c in set(voice)},
            **columns,
        )
        tree.beside(f"AudioMP3/{clip}.mp3")
        tree.beside(f"VideoFlash/{clip}.flv")
        names.append((number, clip))
        # Voice (1) is what an audio corpus is rated by; the face (2) and both (3) differ.
        for query, letters in ((1, voice), (2, "HHHHHH"), (3, code[0] * 7)):
            for k, letter in enumerate(letters):
                answers.append([len(answers), k, k, f"{letter}_60", 1500, query, 0, number, k, 4])
                answers[-1] += [clip, k, letter, 60, code[0], 50, 50]
            counts = [letters.count(c) for c in nouns]
            winners = [c for c, n in zip(nouns, counts, strict=True) if n == max(counts)]
            tabulated.append([f"{query}{number:05d}", *counts, clip, len(letters)])
            tabulated[-1] += [max(counts) / len(letters), ":".join(winners)]
    tree.beside("finishedResponses.csv", table(*answers, quoted=True))
    tree.beside("processedResults/tabulatedVotes.csv", table(*tabulated, quoted=True))
    tree.beside("SentenceFilenames.csv", table(*names, quoted=True))
    tree.beside(
        "VideoDemographics.csv",
        table(
            "ActorID,Age,Sex,Race,Ethnicity",
            (1001, 51, "Male", "Caucasian", "Not Hispanic"),
            (1002, 21, "Female", "Caucasian", "Not Hispanic"),
            (1040, 42, "Male", "Caucasian", "Not Hispanic"),
            (1076, 25, "Female", "Caucasian", "Not Hispanic"),
            quoted=True,
        ),
    )


def _savee_utterances(tree, pattern):
    tree.common = {"language": "en", "naturalness": "acted", "gender": "male"}
    codes = {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral"}
    for speaker in ("DC", "JE", "KL"):
        for code, emotion in (codes | {"sa": "sadness", "su": "surprise"}).items():
            # Sentences 01 to 03 are common to all emotions (certainty M): only others are used.
            for number in ("04", "15"):
                tree.utterance(
                    pattern.format(speaker=speaker, name=f"{code}{number}"),
                    speaker=speaker,
                    emotion=emotion,
                    text=(code, number),
                )


@layout("savee", 480)
def savee(tree):
    _savee_utterances(tree, "AudioData/{speaker}/{name}.wav")
    tree.beside("AudioData/Info.txt", "'DC', 'JE', 'JK' and 'KL' are four male speakers\n")


@layout("savee", 480, variant="flat")
def savee_flat(tree):
    _savee_utterances(tree, "ALL/{speaker}_{name}.wav")


@layout("tess", 2800)
def tess(tree):
    tree.common = {"language": "en", "naturalness": "acted", "gender": "female"}
    codes = as_nouns("angry disgust fear happy neutral ps sad")
    for speaker in ("OAF", "YAF"):
        for code, emotion in codes.items():
            for word in ("back", "bite"):
                # The one misspelled name: OA_bite_neutral.wav is spoken by OAF.
                written = "OA" if (speaker, code, word) == ("OAF", "neutral", "bite") else speaker
                tree.utterance(
                    f"{speaker}_{code}/{written}_{word}_{code}.wav",
                    speaker=speaker,
                    emotion=emotion,
                    text=word,
                )


@layout("emovo", 588)
def emovo(tree):
    tree.common = {"language": "it", "naturalness": "acted"}
    codes = as_nouns(
        "dis:disgust gio:happiness neu:neutral pau:fear rab:anger sor:surprise tri:sadness"
    )
    for speaker in ("f1", "m1", "m3"):
        for code, emotion in codes.items():
            for text in ("b1", "n5"):
                tree.utterance(
                    f"{speaker}/{code}-{speaker}-{text}.wav",
                    speaker=speaker,
                    gender="female" if speaker[0] == "f" else "male",
                    emotion=emotion,
                    text=text,
                )


def _cafe_utterances(tree, root, renamed):
    tree.common = {"language": "fr", "naturalness": "acted"}
    codes = {
        "C": ("Colère", "anger"),
        "D": ("Dégoût", "disgust"),
        "J": ("Joie", "happiness"),
        "N": ("Neutre", "neutral"),
        "P": ("Peur", "fear"),
        "S": ("Surprise", "surprise"),
        "T": ("Tristesse", "sadness"),
    }
    for speaker, gender in (("01", "male"), ("02", "female"), ("11", "male")):
        for code, (folder, emotion) in codes.items():
            for level, name in {"1": "Faible", "2": "Fort"}.items():
                if code == "N" and level == "2":
                    continue  # neutral has no level, and no folder of a level
                place = root + renamed.get(folder, folder) + ("" if code == "N" else f"/{name}")
                columns = {} if code == "N" else {"intensity": level}
                tree.utterance(
                    f"{place}/{speaker}-{code}-{level}-{level}.wav",
                    speaker=speaker,
                    gender=gender,
                    emotion=emotion,
                    text=level,
                    **columns,
                )


@layout("cafe", 936)
def cafe(tree):
    _cafe_utterances(tree, "", {})


@layout("cafe", 936, variant="unzipped")
def cafe_unzipped(tree):
    # The archive has the accents of DOS, which other systems unpack as other letters.
    _cafe_utterances(tree, "CaFE_48k/", {"Colère": "Col\u0160re", "Dégoût": "D\u201ago\u2013t"})


@layout("urdu", 400)
def urdu(tree):
    tree.common = {"language": "ur", "naturalness": "natural", "text": None}
    for folder, name, emotion in [
        ("Angry", "SM5_F1_A01", "anger"),
        ("Angry", "SM5_F2_A02", "anger"),
        ("Happy", "SF5_F1_H01", "happiness"),  # SF5 is not SM5
        ("Happy", "SM20_F5_H09", "happiness"),
        ("Neutral", "SM5_F33_N061", "neutral"),
        ("Sad", "SF10_F1_S01", "sadness"),
        ("Sad", "SF1_F10_S02", "sadness"),
    ]:
        tree.utterance(
            f"{folder}/{name}.wav",
            speaker=name.split("_")[0],
            gender="male" if name[1] == "M" else "female",
            emotion=emotion,
        )


@layout("nemo", 4481)
def nemo(tree):
    tree.common = {"language": "pl", "naturalness": "acted"}
    codes = as_nouns("anger fear happiness neutral sadness surprised")
    rows = ["file_id,emotion,raw_text,normalized_text,speaker_id,gender,age"]
    texts = {1: "Czy wiesz, która godzina?", 14: "Nie ma go w domu."}
    for speaker, gender in (("EB0", "female"), ("KS0", "male"), ("ZB0", "female")):
        for code, emotion in codes.items():
            for number, text in texts.items():
                name = f"{speaker}_{code}_{number}.wav"
                tree.utterance(
                    f"samples/{name}", speaker=speaker, gender=gender, emotion=emotion, text=number
                )
                plain = text.lower().rstrip("?.").replace(",", "")
                # The blanks before the speaker are in the published table.
                rows.append((name, code, text, plain, f"        {speaker}", gender, 24))
    tree.beside("data.tsv", table(*rows, sep="\t"))


@layout("ased", 2474)
def ased(tree):
    tree.common = {"language": "am", "naturalness": "acted"}
    folders = {
        "n": ("01Neutral", "neutral"),
        "f": ("02Fearful", "fear"),
        "h": ("03Happy", "happiness"),
        "s": ("04Sad", "sadness"),
        "a": ("05Angry", "anger"),
    }
    # The public list of names has the 65 numbers once each, but for one file each of 09, 15, 21
    # and 23, with the other sex: the number is the speaker. There are 27 sentences: 01 and 02 in
    # every emotion, five of each emotion.
    names = ["n1-01-01-01-05", "n1-01-02-01-23", "f2-02-01-02-23", "h3-02-02-01-05"]
    names += ["s4-04-01-01-29", "S4-04-02-01-29", "a5-07-01-02-65", "a5-04-01-01-29"]
    for name in names:
        code, text, _, sex, number = name.lower().split("-")
        folder, emotion = folders[name[0].lower()]
        tree.utterance(
            f"{folder}/{name}.wav",
            speaker=number,
            gender={"01": "female", "02": "male"}[sex] if number != "23" else "female",
            emotion=emotion,
            text=text if text in ("01", "02") else f"{code}-{text}",
        )


@layout("aesdd", 604, 605)
def aesdd(tree):
    # The sex of the speakers is not certain: not checked.
    tree.common = {"language": "el", "naturalness": "acted"}
    folders = {
        "a": ("anger", "anger"),
        "d": ("disgust", "disgust"),
        "f": ("fear", "fear"),
        "h": ("happiness", "happiness"),
        "s": ("sadness", "sadness"),
    }
    for name in [
        "a01 (1)",
        "a05 (01)",  # speaker 1
        "a03 (4)b",
        "d01 (2)",
        "d20(6)",
        "f05 (3)a",
        "h05 (5)",
        "s03 (3)",
        "s05 (01)",
    ]:
        folder, emotion = folders[name[0]]
        tree.utterance(
            f"{folder}/{name}.wav",
            speaker=int(name.split("(")[1].split(")")[0]),
            emotion=emotion,
            text=name[1:3],
        )
    tree.stray("sadness/s05 (3).wav")  # the 605th file, which cannot be decoded


_ESD = {
    "Neutral": ("neutral", "中立", 0),
    "Angry": ("anger", "生气", 350),
    "Happy": ("happiness", "快乐", 700),
    "Sad": ("sadness", "伤心", 1050),
    "Surprise": ("surprise", "惊喜", 1400),
}
_ESD_SPEAKERS = {
    "0001": ("female", "zh", "gb2312"),
    "0003": ("female", "zh", "utf-16"),
    "0004": ("male", "zh", "gb2312"),
    "0011": ("male", "en", "utf-8"),
    "0012": ("male", "en", "utf-16"),
    "0016": ("female", "en", "latin-1"),
}
_ESD_TEXTS = {
    "zh": {1: "打远一看，它们的确很是美丽。", 21: "周围空无一人。"},
    "en": {1: "The nine the eggs, I keep.", 21: "It is a clich\u00e9, he said."},
}


def _esd_utterances(tree, with_splits):
    tree.common = {"naturalness": "acted"}
    for speaker, (gender, language, encoding) in _ESD_SPEAKERS.items():
        lines = []
        for folder, (emotion, chinese, offset) in _ESD.items():
            for number, text in _ESD_TEXTS[language].items():
                name = f"{speaker}_{number + offset:06d}"
                split = {1: "evaluation", 21: "test"}[number]
                if (number, folder) == (21, "Sad"):
                    split = "train"
                place = f"{speaker}/{folder}/{split}" if with_splits else f"{speaker}/{folder}"
                columns = {"split": split} if with_splits else {}
                tree.utterance(
                    f"{place}/{name}.wav",
                    speaker=speaker,
                    gender=gender,
                    language=language,
                    emotion=emotion,
                    text=(language, number),
                    **columns,
                )
                label = chinese if language == "zh" else folder
                lines.append(f"{name}\t{text}\t{label}")
        if speaker == "0012":
            lines[3] = lines[3].replace("\t", " ")  # such lines occur
        tree.beside(f"{speaker}/{speaker}.txt", "\r\n".join(lines) + "\r\n", encoding)
    tree.beside("ReadMe.txt", "ESD\n")


@layout("esd", 35000)
def esd(tree):
    _esd_utterances(tree, with_splits=True)


@layout("esd", 35000, variant="flat")
def esd_flat(tree):
    _esd_utterances(tree, with_splits=False)


@layout("jl", 2400)
def jl(tree):
    tree.common = {"language": "en", "naturalness": "acted"}
    codes = as_nouns(
        "angry sad neutral happy excited anxious apologetic assertive concerned encouraging"
    )
    folder = "Raw JL corpus (unchecked and unannotated)/JL(wav+txt)"
    for speaker in ("female1", "male1", "male2"):
        for code, emotion in codes.items():
            for text in ("1a", "15b"):
                name = f"{folder}/{speaker}_{code}_{text}_1"
                tree.utterance(
                    f"{name}.wav", speaker=speaker, gender=speaker[:-1], emotion=emotion, text=text
                )
                tree.beside(f"{name}.txt", "We will talk about it now\n")


@layout("subesco", 7000)
def subesco(tree):
    tree.common = {"language": "bn", "naturalness": "acted"}
    codes = as_nouns("ANGRY DISGUST FEAR HAPPY NEUTRAL SAD SURPRISE")
    for speaker in ("F_01_OISHI", "M_01_TUHIN", "F_02_MONIKA"):
        for code, emotion in codes.items():
            # One name of the mirrors ends in "_3]".
            last = "3]" if (speaker, code) == ("F_02_MONIKA", "SURPRISE") else "3"
            for text, take in (("1", "1"), ("2", last)):
                tree.utterance(
                    f"{speaker}_S_{text}_{code}_{take}.wav",
                    speaker=speaker,
                    gender={"F": "female", "M": "male"}[speaker[0]],
                    emotion=emotion,
                    text=text,
                )


def _emov_db_utterances(tree, pattern):
    tree.common = {"language": "en", "naturalness": "acted"}
    emotions = as_nouns("Amused Angry Disgusted Neutral Sleepy")
    # The style in a file name has 17 spellings, among them misleading ones.
    styles = as_nouns("Amused:amused Angry:anger Disgusted:disgust Neutral:neutral Sleepy:sleepy")
    for speaker, gender in {"bea": "female", "josh": "male", "sam": "male"}.items():
        for folder, emotion in emotions.items():
            if speaker == "josh" and folder in ("Angry", "Disgusted"):
                continue  # he has none
            for prompt, numbers in (("0001", "1-28"), ("0559", "533-560")):
                tree.utterance(
                    pattern.format(
                        speaker=speaker, folder=folder, name=f"{styles[folder]}_{numbers}_{prompt}"
                    ),
                    speaker=speaker,
                    gender=gender,
                    emotion=emotion,
                    text=prompt,
                )


@layout("emov-db", 6887)
def emov_db(tree):
    _emov_db_utterances(tree, "{speaker}_{folder}/{name}.wav")


@layout("emov-db", 6887, variant="sorted")
def emov_db_sorted(tree):
    _emov_db_utterances(tree, "{speaker}/{folder}/{name}.wav")


@layout("thorsten-emotional", 2400, 2399)
def thorsten_emotional(tree):
    tree.common = {
        "language": "de",
        "naturalness": "acted",
        "speaker": "Thorsten",
        "gender": "male",
    }
    emotions = as_nouns("amused angry disgusted drunk neutral sleepy surprised whisper")
    texts = {
        "2cc2cc4a34b961ef1657cc82dbd18875": "Mist, wieder nichts geschafft.",
        "0aaf116f8774a140909231e0b610dc98": "Der schwarze Wagen parkt vor dem Haus.",
    }
    for folder, emotion in emotions.items():
        for name in texts:
            if folder == "whisper" and name.startswith("2cc2"):
                continue  # absent from one release
            tree.utterance(f"{folder}/{name}.wav", emotion=emotion, text=name)
    tree.beside("thorsten-emotional-metadata.csv", table(*texts.items(), sep="|"))


@layout("casia", 1200)
def casia(tree):
    tree.common = {"language": "zh", "naturalness": "acted"}
    genders = {"liuchanhg": "female", "wangzhe": "male", "zhaoquanyin": "female"}  # certainty M
    codes = as_nouns("angry fear happy neutral sad surprise")
    for speaker, gender in genders.items():
        for code, emotion in codes.items():
            for text in ("201", "250"):
                tree.utterance(
                    f"{speaker}/{code}/{text}.wav",
                    speaker=speaker,
                    gender=gender,
                    emotion=emotion,
                    text=text,
                )


@layout("banglaser", 1467)
def banglaser(tree):
    # The codes are not those of RAVDESS. Whether folders by actor are part of the release is
    # not known; the names stand alone.
    tree.common = {"language": "bn", "naturalness": "acted"}
    codes = {"01": "happiness", "02": "sadness", "03": "anger", "04": "surprise", "05": "neutral"}
    for speaker in ("01", "02", "34"):
        for code, emotion in codes.items():
            for text in ("01", "03"):
                level = "02" if code in ("03", "04") else "01"
                tree.utterance(
                    f"03-01-{code}-{level}-{text}-01-{speaker}.wav",
                    speaker=speaker,
                    gender="male" if int(speaker) % 2 else "female",
                    emotion=emotion,
                    text=text,
                )


@layout("mesd", 862)
def mesd(tree):
    # There are no ids of speakers: the voice (female, male, child) stands for them.
    tree.common = {"language": "es", "naturalness": "acted"}
    genders = {"F": "female", "M": "male", "C": None}
    emotions = as_nouns("Anger Disgust Fear Happiness Neutral Sadness")
    folder = "Mexican Emotional Speech Database (MESD)"
    for voice, gender in genders.items():
        for code, emotion in emotions.items():
            # Words of set A are common to all emotions, those of set B belong to one.
            for set_, word in (("A", "abajo"), ("A", "a veces"), ("B", f"palabra{code.lower()}")):
                tree.utterance(
                    f"{folder}/{code}_{voice}_{set_}_{word}.wav",
                    speaker=voice,
                    gender=gender,
                    emotion=emotion,
                    text=word,
                )


@layout("emofilm", 1115)
def emofilm(tree):
    # "dis" is contempt ("disprezzo", as the paper says). Users of the corpus name its files
    # wav_corpus/f_ans001aen.wav: no underscore stands before the language.
    tree.common = {"naturalness": "acted"}
    codes = {"ans": "fear", "dis": "contempt", "gio": "happiness", "rab": "anger", "tri": "sadness"}
    sheets = {sheet: [("file", "film", "speaker")] for sheet in ("female", "male")}
    actors = {
        ("f", "it"): ["giuppy izzo", " Giuppy Izzo", "Giuppi Izzo"],
        ("m", "it"): ["Massimo De Ambrosis", "massimo de ambrosis"],
        ("f", "es"): ["Maria Alonso"],
        ("m", "es"): ["Camilo García", "camilo garcía"],
        ("f", "en"): ["Jodie Foster"],
        ("m", "en"): ["Robert Duvall", "robert duvall "],
    }
    for (sex, language), spellings in actors.items():
        for i, (code, emotion) in enumerate(codes.items()):
            name = f"{sex}_{code}{i + 1:03d}a{language}"
            tree.utterance(
                f"wav_corpus/{name}.wav",
                speaker=(sex, language),
                gender={"f": "female", "m": "male"}[sex],
                language=language,
                emotion=emotion,
            )
            sheets["female" if sex == "f" else "male"].append(
                (name, "The Interpreter", spellings[i % len(spellings)])
            )
    tree.beside("f_m_corpus_it_es_en_legend.xlsx", spreadsheet(**sheets))


@layout("emns", 1181)
def emns(tree):
    # The root holds a metadata.csv that is not the generic one.
    tree.common = {"language": "en", "naturalness": "acted", "speaker": 3, "gender": "female"}
    codes = as_nouns("Neutral Sad Happy Angry Sarcastic Surprise Disgust Excited")
    rows = [
        "id,utterance,description,emotion,date_created,status,gender,age,level,audio_recording,"
        "user_id"
    ]
    for number, (code, emotion) in enumerate(codes.items(), 1):
        name = "recorded_audio" + ("" if number == 1 else f"_{number:02d}jmPGL")
        tree.utterance(f"cleaned_webm/{name}.webm", emotion=emotion)
        rows.append([number, "It was late, she said.", "A voice", code, "2021-05-28", "Complete"])
        rows[-1] += ["Female", "20s", number, f"wavs/{name}.webm", 3]
    tree.beside("metadata.csv", table(*rows, sep="|"))


@layout("enterface05")  # 1263 utterances, or some more, by the way of counting
def enterface05(tree):
    # Induced; the papers take it as acted. The sex of the subjects is not published.
    tree.common = {"language": "en", "naturalness": ("elicited", "acted")}
    codes = {
        "an": ("anger", "anger"),
        "di": ("disgust", "disgust"),
        "fe": ("fear", "fear"),
        "ha": ("happiness", "happiness"),
        "sa": ("sadness", "sadness"),
        "su": ("surprise", "surprise"),
    }
    for subject, prefix in ((1, "s1"), (3, "s_3"), (11, "s12"), (16, "s16")):
        for code, (folder, emotion) in codes.items():
            for number in (1, 3):
                suffix = "avi" if (subject, code, number) == (16, "su", 3) else ""
                tree.utterance(
                    f"subject {subject}/{folder}/sentence {number}/"
                    f"{prefix}_{code}_{number}{suffix}.avi",
                    speaker=subject,
                    emotion=emotion,
                    text=(code, number),
                )


@layout("resd", 1396)
def resd(tree):
    # No ids of speakers: dialogues, which occur in train and in test.
    tree.common = {"language": "ru", "naturalness": "acted"}
    words = as_nouns("a:anger e:enthusiasm d:disgust f:fear h:happiness n:neutral s:sadness")
    parts = {
        "train": [
            ("happiness_enthusiasm_32", "32_happiness_enthusiasm_h_120"),
            ("happiness_enthusiasm_32", "32_happiness_enthusiasm_e_121"),
            ("anger_fear_1", "01_anger_fear_a_010"),
            ("anger_fear_1", "01_anger_fear f_011"),  # a blank for an underscore
            ("neutral_disgust_12", "12_neutral_disgust_n_030"),
        ],
        "test": [
            ("happiness_enthusiasm_32", "32_happiness_enthusiasm_h_122"),
            ("anger_fear_1", "01_anger_fear_f_012"),
            ("neutral_disgust_12", "12_neutral_disgust_d_031"),
            ("neutral_sadness_40", "40_neutral_sadness_s_001"),
        ],
    }
    for part, names in parts.items():
        rows = ["path,emotion"]
        for folder, name in names:
            emotion = words[name.rsplit("_", 1)[0][-1]]
            tree.utterance(
                f"{part}/{folder}/{name}.wav", speaker=name[:2], emotion=emotion, split=part
            )
            rows.append((f"{folder}/{name}.wav", emotion))
        tree.beside(f"{part}.csv", table(*rows))


@layout("emozionalmente", 6902)
def emozionalmente(tree):
    tree.common = {"language": "it", "naturalness": "acted"}
    nouns = as_nouns("anger disgust fear joy neutrality sadness surprise")
    users = ["username,age,gender,mother_tongue", "u1,30,female,italian", "u2,41,male,italian"]
    users += ["u3,22,other,italian", "rater,50,male,italian"]
    samples = ["timestamp,file_name,actor,emotion_expressed,sentence"]
    judgments = ["timestamp,file_name,evaluator,emotion_recognized"]
    sentences = ["Quando la casa vibra, mi sveglio", "Vorrei il numero telefonico"]
    for actor, gender in (("u1", "female"), ("u2", "male"), ("u3", None)):
        for word, emotion in nouns.items():
            for i, sentence in enumerate(sentences):
                name = f"{len(samples):04d}.wav"
                # The second sentence of everybody's fear is mostly taken for surprise.
                heard = ["surprise"] * 3 if word == "fear" and i else [word] * 3
                votes: dict[str, int] = {}
                for k, recognized in enumerate([*heard, word, "neutrality"]):
                    judgments.append(("2020-05-01", name, f"r{k}", recognized))
                    votes[nouns[recognized]] = votes.get(nouns[recognized], 0) + 1
                samples.append(("2020-04-01", name, actor, word, sentence))
                tree.utterance(
                    f"audio/{name}",
                    speaker=actor,
                    gender=gender,
                    emotion=emotion,
                    text=sentence,
                    votes=votes,
                )
    tree.beside("metadata/users.csv", table(*users))
    tree.beside("metadata/samples.csv", table(*samples))
    tree.beside("metadata/evaluations.csv", table(*judgments))


@layout("turev-db", 1735)
def turev_db(tree):
    # The repository does not state the sex; it is plain from the pitch.
    tree.common = {"language": "tr", "naturalness": "acted"}
    folders = {
        "kz": ("Angry", "anger"),
        "sk": ("Calm", "calm"),
        "mt": ("Happy", "happiness"),
        "hl": ("Sad", "sadness"),
    }
    for speaker, gender in (("1157", "male"), ("1234", "female"), ("1984", "female")):
        for code, (folder, emotion) in folders.items():
            if speaker == "1157" and code in ("sk", "mt"):
                continue  # he has none
            for word in ("acik", "beste"):
                tree.utterance(
                    f"Sound Source/{folder}/{speaker}_{code}_{word}.wav",
                    speaker=speaker,
                    gender=(gender, None),
                    emotion=emotion,
                    text=word,
                )


@layout("baved", 1935)
def baved(tree):
    # The levels 0, 1, 2 (low, neutral, high) are no emotions, but level 1 may be called neutral.
    tree.common = {"language": "ar", "naturalness": "acted"}
    # Ids that repeat people: 46 and 53 hold the same recordings, the others the same voices.
    same = {"53": "46", "100": "50", "39": "50", "102": "56", "101": "47", "17": "49", "44": "3"}
    for folder, name in [
        ("0", "0-m-21-0-1-105"),
        ("1", "0-m-21-1-0-374"),
        ("0", "46-m-20-0-1-157"),
        ("2", "53-m-20-2-2-158"),
        ("0", "50-f-6-0-0-9"),
        ("0", "100-f-6-0-1-1"),
        ("0", "39-f-6-0-2-5"),
        ("1", "56-f-40-1-2-77"),
        ("0", "102-f-40-0-0-3"),
        ("3", "3-f-21-3-2-3"),
        ("0", "44-f-21-0-2-8"),
        ("0", "49-m-23-6-1-201"),  # a recording of word 6 in the folder of word 0
    ]:
        speaker, sex, _, word, level, _ = name.split("-")
        tree.utterance(
            f"{folder}/{name}.wav",
            speaker=same.get(speaker, speaker),
            gender={"m": "male", "f": "female"}[sex],
            emotion=("neutral", None) if level == "1" else None,
            text=word,
        )


# --------------------------------------------------- films, podcasts, improvised and spontaneous


_IEMOCAP_RATINGS = {  # code: label of the raters
    "ang": "Anger",
    "hap": "Happiness",
    "sad": "Sadness",
    "neu": "Neutral",
    "exc": "Excited",
    "fru": "Frustration",
    "fea": "Fear",
    "sur": "Surprise",
    "dis": "Disgust",
    "oth": "Other",
}
_IEMOCAP_NOUNS = as_nouns(
    "ang:anger hap:happiness sad:sadness neu:neutral exc:excitement fru:frustration fea:fear "
    "sur:surprise dis:disgust"
)


@layout("iemocap", 10039)
def iemocap(tree):
    tree.common = {"language": "en"}
    # Turn, consensus, votes of the raters, (valence, activation, dominance). The letter of the
    # dialogue is who wears the markers: the speaker is the letter before the number.
    dialogues = {
        "Ses01F_impro01": [
            ("F000", "neu", ("neu", "neu", "neu"), (2.5, 2.5, 2.5)),
            ("M000", "fru", ("fru", "fru", "ang"), (2.0, 3.5, 4.0)),
            ("F001", "xxx", ("neu", "fru", "sad"), (2.5, 2.0, 1.0)),
        ],
        "Ses01M_impro01": [
            ("F000", "ang", ("ang", "ang", "fru"), (1.0, 5.0, 4.5)),
            ("M000", "exc", ("exc", "exc", "hap"), (4.5, 4.0, 3.0)),
        ],
        "Ses01F_script01_1": [
            ("F000", "sad", ("sad", "sad", "sad"), (1.5, 2.0, 2.0)),
            ("M000", "oth", ("oth", "oth", "neu"), (3.0, 3.0, 3.0)),
        ],
        "Ses05M_script03_2b": [
            ("M000", "hap", ("hap", "hap", "exc"), (5.0, 4.0, 4.0)),
            ("F012", "sur", ("sur", "sur", "sur"), (3.5, 4.0, 3.0)),
            ("F013", "fea", ("fea", "fea", "sad"), (2.0, 3.0, 1.5)),
            ("F014", "dis", ("dis", "dis", "ang"), (1.5, 3.0, 3.5)),
        ],
    }
    for dialogue, turns in dialogues.items():
        session = dialogue[4]
        improvised = "impro" in dialogue
        labels = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"]
        transcript = []
        for i, (turn, code, heard, dimensions) in enumerate(turns):
            name = f"{dialogue}_{turn}"
            start, end = 6.2901 + 10 * i, 8.2357 + 10 * i
            votes: dict[str, int] = {}
            lines = []
            for rater, label in enumerate(heard, 2):
                lines.append(f"C-E{rater}:\t{_IEMOCAP_RATINGS[label]};\t()")
                noun = _IEMOCAP_NOUNS.get(label, "other")
                votes[noun] = votes.get(noun, 0) + 1
            columns: dict[str, Any] = {"votes": votes}
            if turn == "F013":  # a rater may give several labels: how these count is open
                lines[-1] = "C-E4:\tSadness; Fear;\t(unsure: both; more sad)"
                del columns["votes"]
            lines += ["C-F1:\tSurprise;\t()", "C-M1:\tNeutral state; Fear;\t()"]
            lines += ["A-E3:\tval 3; act 2; dom  2;\t()", "A-E4:\tval 2; act 3; dom  ;\t()"]
            lines += ["A-F1:\tval 3; act 2; dom  1;\t()", "A-M1:\tval 2; act 2; dom  2;\t()"]
            vad = ", ".join(f"{value:.4f}" for value in dimensions)
            labels += [f"[{start:.4f} - {end:.4f}]\t{name}\t{code}\t[{vad}]", *lines, ""]
            transcript.append(f"{name} [{start:08.4f}-{end:08.4f}]: Excuse me. [LAUGHTER]")
            transcript.append(f"{dialogue}_{turn[0]}XX{i} [{end:08.4f}-{end + 1:08.4f}]: Mmhmm.")
            if improvised:
                columns["text"] = None
            scaled = [(value - 1) / 4 for value in dimensions]
            tree.utterance(
                f"Session{session}/sentences/wav/{dialogue}/{name}.wav",
                speaker=(session, turn[0]),
                gender={"F": "female", "M": "male"}[turn[0]],
                emotion=_IEMOCAP_NOUNS.get(code),
                naturalness=("elicited", "natural") if improvised else "acted",
                split=session,
                **dict(zip(("valence", "arousal", "dominance"), scaled, strict=True)),
                **columns,
            )
        transcript.append("M: Hello?")  # such lines occur
        folder = f"Session{session}/dialog"
        tree.beside(f"{folder}/EmoEvaluation/{dialogue}.txt", "\n".join(labels) + "\n")
        tree.beside(f"{folder}/transcriptions/{dialogue}.txt", "\n".join(transcript) + "\n")
        for rater in ("e2", "e3", "e4"):
            tree.beside(
                f"{folder}/EmoEvaluation/Categorical/{dialogue}_{rater}_cat.txt",
                f"{dialogue}_{turns[0][0]} :Sadness; ()\n",
            )
        # AppleDouble files lie beside the tables, stereo recordings beside the sentences.
        tree.beside(f"{folder}/EmoEvaluation/._{dialogue}.txt", b"\x00\x05\x16\x07\xff\xfe\x80")
        tree.beside(f"{folder}/transcriptions/._{dialogue}.txt", b"\x00\x05\x16\x07\xff\xfe\x80")
        tree.beside(f"{folder}/wav/{dialogue}.wav")
        tree.beside(f"{folder}/avi/DivX/{dialogue}.avi")


def _msp_improv_utterances(tree, place, evaluation):
    # Letters of the conditions, of low certainty: R target sentence read, T target sentence
    # improvised, S other improvised turn, P interaction between the recordings.
    kinds = {
        "R": "acted",
        "T": ("elicited", "natural"),
        "S": ("elicited", "natural"),
        "P": "natural",
    }
    nouns = {"A": "anger", "H": "happiness", "S": "sadness", "N": "neutral"}
    words = {"A": "Angry", "H": "Happy", "S": "Sad", "N": "Neutral", "O": "Other"}
    tree.common = {"language": "en"}
    lines = []
    for name, code, heard, dimensions in [
        ("S01A-F01-R-MF01", "A", "AAAO", (4.5, 1.5, 4.0, 3.0)),
        ("S01A-M01-T-FM01", "A", "AAN", (4.0, 2.0, 3.5, 4.2)),
        ("S01H-F01-S-MF02", "H", "HHH", (3.5, 4.5, 3.0, 4.8)),
        ("S01N-M01-P-FM103", "N", "NNNS", (2.0, 3.0, 2.5, 5.0)),
        ("S20S-F06-T-MF01", "S", "SSS", (1.5, 1.0, None, 4.0)),
        ("S20S-M06-R-FM01", "X", "SNAO", (1.8, 2.2, 2.4, 2.0)),
        ("S20N-M06-R-FM02", "O", "OON", (2.2, 3.2, 2.8, 1.0)),
        ("S01A-M06-R-FM01", "A", "AAA", (5.0, 1.0, 5.0, 3.5)),
    ]:
        sentence, speaker, condition, _ = name.split("-")
        session = str(int(speaker[1:]))
        shown = ["NaN" if value is None else f"{value:.6f}" for value in dimensions]
        _, v, d, n = shown
        # Activation is written from 1 (active) to 5 (calm): published readers take 6 - A.
        a = f"{6 - dimensions[0]:.6f}"
        lines.append(f"UTD-IMPROV-{name}.avi; {code}; A:{a}; V:{v}; D:{d} ; N:{n};")
        for rater, letter in enumerate(heard):
            missing = "NaN" if rater == 1 else "3.000000"
            line = (
                f"A{rater}ZX0KDQ8; {words[letter]}; {words[letter]},Frustrated; A:3.000000; "
                f"V:2.000000; D:{missing}; N:4.000000;"
            )
            lines += [line] * (2 if rater == 0 else 1)  # rows of a rater are duplicated
        lines.append("")
        scaled = [None if value is None else (value - 1) / 4 for value in dimensions]
        columns = ("arousal", "valence", "dominance", "naturalness_rating")
        stem = f"{place.format(session=session)}{sentence}/{condition}/MSP-IMPROV-{name}"
        tree.beside(f"{stem}.avi")
        tree.utterance(
            f"{stem}.wav",
            speaker=speaker,
            gender={"F": "female", "M": "male"}[speaker[0]],
            emotion=nouns.get(code),
            naturalness=kinds[condition],
            split=session,
            votes={nouns.get(c, "other"): heard.count(c) for c in set(heard)},
            # Only the target sentences are spoken by several people.
            **({"text": sentence[:3]} if condition in "RT" else {}),
            **dict(zip(columns, scaled, strict=True)),
        )
    tree.beside(evaluation, "\n".join(lines) + "\n")


@layout("msp-improv", 8438)
def msp_improv(tree):
    _msp_improv_utterances(tree, "session{session}/", "Evaluation.txt")


@layout("msp-improv", 8438, variant="mirror")
def msp_improv_mirror(tree):
    _msp_improv_utterances(tree, "Audio/session{session}/", "Evalution.txt")


def _msp_podcast_utterances(tree, folder, consensus, development):
    tree.common = {"language": "en", "naturalness": "natural", "text": None}
    nouns = as_nouns(
        "A:anger H:happiness S:sadness N:neutral U:surprise F:fear D:disgust C:contempt"
    )
    words = as_nouns(
        "A:Angry H:Happy S:Sad N:Neutral U:Surprise F:Fear D:Disgust C:Contempt O:Other-Concerned"
    )
    labels = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    detailed = ["FileName,Workers,EmoClass_Major,EmoClass_Second,EmoAct,EmoVal,EmoDom"]
    for name, code, heard, dimensions, speaker, gender, split in [
        ("0001_0008", "N", "NNNH", (2.2, 4.0, 2.6), "30", "Male", "Test1"),
        ("0001_0009", "A", "AAAAD", (7.0, 1.0, 6.4), "30", "Male", "Test1"),
        ("0002_0033", "H", "HHHHH", (5.2, 6.4, 4.6), "127", "Female", "Train"),
        ("0002_0033_0001", "S", "SSSNN", (1.6, 2.2, 3.4), "127", "Female", "Train"),
        ("0003_0001", "X", "NNHHO", (4.0, 4.0, 4.0), "Unknown", "Unknown", "Train"),
        ("0003_0002", "O", "OOONA", (3.4, 3.4, 4.6), "Unknown", "Male", "Train"),
        ("0004_0001", "U", "UUUUF", (5.8, 5.2, 4.0), "Unknown", "Female", "Test2"),
        ("0005_0100", "F", "FFFFU", (5.2, 2.2, 2.2), "511", "Female", development),
        ("0005_0101", "D", "DDDDC", (4.6, 1.6, 4.6), "511", "Female", development),
        ("0005_0102", "C", "CCCCC", (4.0, 2.8, 5.2), "512", "Male", development),
    ]:
        file = f"MSP-PODCAST_{name}.wav"
        pod = name[:4]
        scaled = [(value - 1) / 6 for value in dimensions]
        act, val, dom = dimensions
        labels.append([file, code, act, val, dom, speaker, gender, split])
        for worker, letter in enumerate(heard):
            second = f"{words[letter]},Concerned"
            detailed.append([file, f"WORKER{worker:08d}", words[letter], second, 4, 3, 5])
        votes = {nouns.get(c, "other"): heard.count(c) for c in set(heard)}
        tree.utterance(
            f"{folder}/{file}",
            # Unknown speakers of two recordings are two people as far as anybody knows.
            speaker=(pod, None) if speaker == "Unknown" else speaker,
            gender={"Male": "male", "Female": "female"}.get(gender),
            emotion=nouns.get(code),
            recording=pod,
            split=split,
            votes=votes,
            **dict(zip(("arousal", "valence", "dominance"), scaled, strict=True)),
        )
        tree.beside(f"Transcripts/{file[:-4]}.txt", "And then we went there.\n")
    tree.beside(f"Labels/{consensus}", table(*labels))
    tree.beside("Labels/labels_detailed.csv", table(*detailed))


@layout("msp-podcast")
def msp_podcast(tree):
    _msp_podcast_utterances(tree, "Audios", "labels_consensus.csv", "Development")


@layout("msp-podcast", variant="1.8")
def msp_podcast_1_8(tree):
    _msp_podcast_utterances(tree, "Audio", "labels_concensus.csv", "Validation")


@layout("fau-aibo", 18216)
def fau_aibo(tree):
    tree.common = {"language": "de", "naturalness": "natural", "text": None}
    # Positive is motherese and joy; the class rest is "other".
    nouns = {
        "A": "anger",
        "E": "emphasis",
        "N": "neutral",
        "P": ("happiness", "positive"),
        "R": None,
    }
    five, two = [], []
    for name, code in [
        ("Ohm_01_000_00", "N"),
        ("Ohm_01_001_01", "A"),
        ("Ohm_02_010_00", "E"),
        ("Ohm_02_011_00", "R"),
        ("Mont_01_000_00", "P"),  # another child than Ohm_01
        ("Mont_01_344_10", "N"),
        ("Mont_25_002_02", "A"),
    ]:
        school, number, *_ = name.split("_")
        tree.utterance(
            f"wav/{name}.wav", speaker=(school, number), emotion=nouns[code], split=school
        )
        five.append(f"{name} {code} 0.64")
        two.append(f"{name} {'NEG' if code in 'AE' else 'IDL'} 0.8")
    folder = "labels/IS2009EmotionChallenge"
    tree.beside(f"{folder}/chunk_labels_5cl_corpus.txt", "\n".join(five) + "\n")
    tree.beside(f"{folder}/chunk_labels_2cl_corpus.txt", "\n".join(two) + "\n")


def _meld_utterances(tree, csv, video):
    # The sitcom's dialogues are numbered from one in each part. Names are written in several ways.
    tree.common = {"language": "en", "naturalness": "acted", "text": None}
    header = (
        "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
        "StartTime,EndTime"
    )
    parts = {
        "train": [
            ("Phoebe", "Phoebe", "sadness", "sadness", 0, 0),
            ("phoebe", "Phoebe", "joy", "happiness", 0, 1),
            ("Monica", "Monica", "surprise", "surprise", 0, 2),
            ("Mr. Zelner", "Zelner", "neutral", "neutral", 7, 0),
            ("Zelner", "Zelner", "anger", "anger", 7, 1),
        ],
        "dev": [
            ("Phoebe", "Phoebe", "fear", "fear", 0, 0),
            ("Joey", "Joey", "disgust", "disgust", 0, 1),
        ],
        "test": [
            ("JOEY", "Joey", "neutral", "neutral", 0, 0),
            ("Monica ", "Monica", "joy", "happiness", 0, 1),
        ],
    }
    broken = {"train": (125, 3), "dev": (110, 7)}
    for part, turns in parts.items():
        rows = [header]
        for written, speaker, label, emotion, dialogue, number in turns:
            rows.append([len(rows), "Oh my God, he\u2019s lost it.", written, label, "negative"])
            rows[-1] += [dialogue, number, 4, 7, "00:20:57,256", "00:21:00,049"]
            tree.utterance(
                f"{video[part]}/dia{dialogue}_utt{number}.mp4",
                speaker=speaker,
                emotion=emotion,
                split=part,
                recording=(part, dialogue),
            )
        for dialogue, number in [broken[part]] if part in broken else []:
            rows.append([len(rows), "What?", "Ross", "neutral", "neutral", dialogue, number])
            rows[-1] += [8, 21, "00:16:16,059", "00:16:21,731"]
            tree.stray(f"{video[part]}/dia{dialogue}_utt{number}.mp4")  # cannot be decoded
        # In the table, but without a file.
        rows.append([len(rows), "Yes.", "Ross", "neutral", "neutral", 300, 1, 8, 21, "0", "1"])
        tree.beside(csv[part], table(*rows))


@layout("meld", 13708, 13706)
def meld(tree):
    _meld_utterances(
        tree,
        {part: f"{part}_sent_emo.csv" for part in ("train", "dev", "test")},
        {
            "train": "train/train_splits",
            "dev": "dev_splits_complete",
            "test": "output_repeated_splits_test",
        },
    )


@layout("meld", 13708, 13706, variant="nested")
def meld_nested(tree):
    _meld_utterances(
        tree,
        {part: f"{part}/{part}_sent_emo.csv" for part in ("train", "dev", "test")},
        {
            "train": "train/train_splits",
            "dev": "dev/dev_splits_complete",
            "test": "test/output_repeated_splits_test",
        },
    )


@layout("shemo", 3000)
def shemo(tree):
    # Radio plays, which the authors call semi-natural.
    tree.common = {"language": "fa", "naturalness": ("acted", "elicited")}
    codes = as_nouns("A:anger F:fear H:happiness N:neutral S:sadness W:surprise")
    for name in [
        "M01A01",
        "M01N100",
        "M01F02",
        "F01F03",  # female speaker 01 in fear
        "F01W01",
        "F30S12",
        "M56H07",
    ]:
        gender = {"F": "female", "M": "male"}[name[0]]
        tree.utterance(
            f"{gender}/{name}.wav", speaker=name[:3], gender=gender, emotion=codes[name[3]]
        )
        tree.beside(
            f"transcript/final text/{name}.ort", "\ufeff\u202bسلام\u202c\n", encoding="utf-8"
        )
    tree.beside("modified_shemo.json", '{"M01A01": {"emotion": "anger"}}\n')


@layout("dusha", 303963, 201850)
def dusha(tree):
    # One row per annotation; "positive" is happiness, "other" and a tie are no label.
    tree.common = {"language": "ru"}
    nouns = {"angry": "anger", "neutral": "neutral", "sad": "sadness", "positive": "happiness"}
    header = (
        "hash_id,audio_path,duration,annotator_emo,golden_emo,speaker_text,speaker_emo,source_id,"
        "annotator_id"
    )
    parts = {
        "crowd_train": [
            ("a1", "angry", "angry angry angry neutral", "angry", "s1"),
            ("a2", "positive", "positive positive positive", "positive", "s1"),
            ("a3", "sad", "sad sad sad sad neutral", "sad", "s2"),
            ("a4", None, "sad neutral", "sad", "s2"),
            ("a5", None, "other other other angry", "angry", "s3"),
        ],
        "crowd_test": [
            ("b1", "neutral", "neutral neutral neutral", "neutral", "s4"),
            ("b2", "angry", "angry angry angry", "angry", "s5"),
        ],
        "podcast_train": [
            ("c1", "neutral", "neutral neutral neutral", "", "p1"),
            ("c2", "positive", "positive positive positive", "", "p1"),
        ],
        "podcast_test": [("d1", "sad", "sad sad sad", "", "p2")],
    }
    for part, clips in parts.items():
        rows = [header]
        for letters, label, heard, spoken, source in clips:
            name = letters * 16  # 32 characters, as of an md5 sum
            answers = heard.split()
            for k, answer in enumerate(answers):
                rows.append([name, f"wavs/{name}.wav", "3.4", answer, "", "включи музыку", spoken])
                rows[-1] += [source, f"annotator{k}"]
            tree.utterance(
                f"{part}/wavs/{name}.wav",
                speaker=source,
                emotion=nouns[label] if label else None,
                naturalness="acted" if part.startswith("crowd") else "natural",
                split=part.split("_")[1],
                votes={nouns.get(a, "other"): answers.count(a) for a in set(answers)},
            )
        tree.beside(f"{part}/raw_{part}.tsv", table(*rows, sep="\t"))


@layout("coraa-ser", total_unknown=True)
def coraa_ser(tree):
    # Three classes, with the sex inside: neutral, non-neutral-female, non-neutral-male.
    tree.common = {"language": "pt", "naturalness": "natural"}
    classes = {
        "neutral": ("neutral", None),
        "non-neutral-female": (("non-neutral", None), "female"),
        "non-neutral-male": (("non-neutral", None), "male"),
    }

    def utterance(file, name, split):
        recording, rest = name.rsplit("_segment", 1)
        emotion, gender = classes[rest.split("_", 1)[1]]
        tree.utterance(file, speaker=recording, emotion=emotion, gender=gender, split=split)

    for folder, name in [
        ("", "bfamcv02_segment110_non-neutral-female"),
        ("", "bfamcv02_segment111_neutral"),
        ("bpubcv01/", "bpubcv01_segment3_non-neutral-male"),
        ("bpubcv01/", "bpubcv01_segment31_neutral"),
    ]:
        utterance(f"train/{folder}{name}.wav", name, "train")
    # Certainty C: names of the columns; their order, and the column label, are assumed.
    rows = ["file,label,wav_file"]
    for digit, name in [
        ("0", "bfammn06_segment2_neutral"),
        ("1", "bfammn06_segment13_non-neutral-female"),
        ("2", "bteldl01_segment7_non-neutral-male"),
    ]:
        hashed = f"{digit * 32}.wav"
        rows.append((f"{name}.wav", name.split("_", 2)[2], hashed))
        utterance(f"test_ser/{hashed}", name, "test")
    tree.beside("test_ser_metadata.csv", table(*rows))


@layout("ldc-epst", total_unknown=True)
def ldc_epst(tree):
    # Fifteen recordings with a transcript each; names of the files beyond the letters of the
    # actor, and the folder, are of low certainty. The sex of the actors is not checked.
    tree.common = {"language": "en", "naturalness": "acted"}
    nouns = {
        "neutral": "neutral",
        "disgust": "disgust",
        "panic": ("panic", "fear"),
        "anxiety": "anxiety",
        "hot anger": ("hot anger", "anger"),
        "cold anger": ("cold anger", "anger"),
        "hot-anger": ("hot anger", "hot-anger", "anger"),
        "despair": "despair",
        "sadness": "sadness",
        "elation": ("elation", "happiness"),
        "happy": "happiness",
        "interest": "interest",
        "boredom": "boredom",
        "shame": "shame",
        "pride": "pride",
        "contempt": "contempt",
    }
    dates = ["Three hundred nine", "August twenty-first"]
    recordings = {"cc_001": list(nouns)[:6], "gg_001": list(nouns)[6:11], "mm_001": ["elation"]}
    recordings["cc_002"] = list(nouns)[11:]  # the same actor in another recording
    for name, categories in recordings.items():
        lines = ["0.00 4.10 A: [MISC]", f"4.50 9.80 A: Emotion category {categories[0]}, now"]
        lines.append("9.90 10.00 A: (throat)")
        for i, category in enumerate(categories):
            for k, text in enumerate(dates):
                start = 13.06 + 20 * i + 5 * k
                end = start + 1.46
                lines.append(f"{start:.2f} {end:.2f} A: {category}, {text}")
                tree.utterance(
                    f"data/{name}.sph",
                    start=round(start, 2),
                    end=round(end, 2),
                    speaker=name[:2],
                    emotion=nouns[category],
                    text=text,
                )
        tree.beside(f"data/{name}.txt", "\n".join(lines) + "\n")
