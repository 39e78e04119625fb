"""Dusha, Russian speech emotion recognition."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Table, Votes

_NOUNS = {
    "angry": "anger",
    "neutral": "neutral",
    "positive": "happiness",
    "sad": "sadness",
    "other": "other",
}


def _annotations(suffix):
    """Return the declaration of the tables with one row per annotation, in one format."""
    return Table(
        rf"raw_(?:crowd|podcast)_(?:train|test)\.{suffix}",
        shown="raw_crowd_train.tsv (or .jsonl, and the other parts)",
        key="{audio_path}",
        separator="\t",
    )


READER = CorpusReader(
    name="dusha",
    title=(
        "Dusha: Russian utterances of volunteers who act emotions (crowd), and of podcasts, each "
        "labeled by several annotators."
    ),
    languages=("ru",),
    kinds=("acted", "natural"),
    license="Public license of Sber (golos/license)",
    citation=(
        "V. Kondratenko, A. Sokolov, N. Karpov, O. Kutuzov, N. Savushkin, F. Minkin: Large Raw "
        "Emotional Dataset with Aggregation Mechanism. arXiv:2212.12266, 2022."
    ),
    homepage="https://github.com/salute-developers/golos/tree/master/dusha",
    files=(r"(?P<domain>crowd|podcast)_(?P<part>train|test)/(?:wavs/)?[^/]+",),
    example="crowd_train/wavs/0a1b2c3d4e5f.wav",
    columns={
        "speaker": ("{domain}-{source_id}", "{stem}"),
        "language": "ru",
        "naturalness": Coded("{domain}", {"crowd": "acted", "podcast": "natural"}),
        "split": "{part}",
        "domain": "{domain}",
        "intended_emotion": "{speaker_emo}",
        "golden_emotion": "{golden_emo}",
        "transcript": "{speaker_text}",
    },
    tables=(_annotations("(?:tsv|jsonl)"),),
    # Each part has its table in both formats.
    votes=(
        Votes(_annotations("tsv"), label="{annotator_emo}", codes=_NOUNS),
        Votes(_annotations("jsonl"), label="{annotator_emo}", codes=_NOUNS),
    ),
    emotion_from_votes=True,
    # The volunteers, the podcasts, both.
    utterances=(201850, 102113, 303963),
    speakers=None,
    folds="the official parts (column split).",
    flaws=(
        Flaw(
            "label_from_votes",
            "The emotion is the label with most votes, missing where several have as many or where "
            "it is 'other'; the authors aggregate the same answers by Dawid and Skene's method "
            "and drop those below 0.9.",
        ),
        Flaw(
            "control_tasks",
            "Utterances with a golden_emotion were control tasks for the annotators; the authors "
            "leave them out.",
        ),
    ),
    uncertain=(
        "Ids of the speakers of podcasts (the utterance is the speaker where there is none); "
        "whether volunteers read the same texts."
    ),
    tried_on="synthetic tree",
)
