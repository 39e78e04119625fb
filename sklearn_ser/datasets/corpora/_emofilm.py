"""EmoFilm, emotional speech of films in three languages."""

import zipfile
from xml.etree import ElementTree

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Table

# Spellings of one actor or film.
_SAME_NAME = {
    "adalberto maria merli+6": "adalberto maria merli",
    "camilo garcia": "camilo garcía",
    "constantino romero+6": "constantino romero",
    "giuppi izzo": "giuppy izzo",
    "maria moscardo": "maría moscardó",
    "massimo de ambrosio": "massimo de ambrosis",
    "robert duval": "robert duvall",
    "xavier fernandez": "xavier fernández",
    "a bautiful mind": "a beautiful mind",
    "american hisotry x": "american history x",
    "beautiful mind": "a beautiful mind",
    "bicentennian man": "bicentennial man",
    "borkeback mountain": "brokeback mountain",
    "borkebackmountain": "brokeback mountain",
    "brokeback": "brokeback mountain",
    "joe black": "meet joe black",
    "million dolar baby": "million dollar baby",
    "poltergueist": "poltergeist",
    "the life of the others": "the lives of others",
    "the live of the others": "the lives of others",
    "ther interpreter": "the interpreter",
    "will hinting": "good will hunting",
}
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def _legend(path):
    """Return file, film and speaker of all sheets; names without case and outer blanks."""
    rows = []
    with zipfile.ZipFile(path) as book:
        shared = []
        if "xl/sharedStrings.xml" in book.namelist():
            strings = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
            shared = ["".join(t.text or "" for t in s.iter(f"{_MAIN}t")) for s in strings]
        for sheet in sorted(n for n in book.namelist() if n.startswith("xl/worksheets/sheet")):
            lines = [
                {
                    cell.get("r", "").rstrip("0123456789"): _text(cell, shared)
                    for cell in line.iter(f"{_MAIN}c")
                }
                for line in ElementTree.fromstring(book.read(sheet)).iter(f"{_MAIN}row")
            ]
            names = lines[0] if lines else {}
            rows += [{names[column]: line.get(column) for column in names} for line in lines[1:]]
    table = pd.DataFrame(rows, dtype=object)
    for column in table.columns.intersection(["film", "speaker"]):
        names = table[column].str.replace("\u00a0", " ").str.strip().str.lower()
        names = names.where(~names.str.fullmatch(r"\?*", na=True), None)
        table[column] = names.replace(_SAME_NAME)
    return table


def _text(cell, shared):
    """Return the text of a cell of a workbook."""
    value = cell.find(f"{_MAIN}v")
    if cell.get("t") == "s":
        return shared[int(value.text)]
    return "".join(t.text or "" for t in cell.iter(f"{_MAIN}t")) if value is None else value.text


READER = CorpusReader(
    name="emofilm",
    title=(
        "EmoFilm: utterances of films in Italian, Spanish and English in 5 acted emotions; the "
        "same scenes in all languages."
    ),
    languages=("it", "es", "en"),
    kinds=("acted",),
    license="Restricted access, for research",
    citation=(
        "E. Parada-Cabaleiro, G. Costantini, A. Batliner, A. Baird, B. Schuller: Categorical vs "
        "Dimensional Perception of Italian Emotional Speech. Interspeech 2018, 3638-3642."
    ),
    homepage="https://zenodo.org/records/7665999",
    files=(r"(?P<sex>[fm])_(?P<emo>ans|dis|gio|rab|tri)(?P<scene>\w*?)(?P<language>it|es|en)",),
    example="wav_corpus/f_ans001aen.wav",
    columns={
        # Unknown actors of a scene are grouped by the film.
        "speaker": ("{speaker}", "unknown {sex} {language} {film}", "{stem}"),
        "gender": Coded("{sex}", {"f": "female", "m": "male"}),
        "language": "{language}",
        "emotion": Coded(
            "{emo}",
            {
                "ans": "fear",
                # Disprezzo.
                "dis": "contempt",
                "gio": "happiness",
                "rab": "anger",
                "tri": "sadness",
            },
        ),
        "naturalness": "acted",
        # The scene, in three languages.
        "text": "{sex}_{emo}{scene}",
        "film": "{film}",
    },
    tables=(
        Table(
            r"f_m_corpus_it_es_en_legend\.xlsx",
            key="{file}",
            need="expected",
            read=_legend,
        ),
    ),
    utterances=(1115,),
    speakers=None,
    flaws=(
        Flaw("background", "Music and noise of the films are in the sound."),
        Flaw("texts_repeat_in_languages", "A scene occurs in three languages (column text)."),
    ),
    uncertain=(
        "That 'dis' is contempt (disprezzo), as in the publication; other readers take it for "
        "disgust. Number of speakers; spellings of names."
    ),
    tried_on="synthetic tree",
)
