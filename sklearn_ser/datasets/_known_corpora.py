"""Corpora that can be loaded by name, with their license, citation and known flaws."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusFacts:
    """Description with known flaws, license and citation of a corpus.

    Features computed from the audio may be distributed under the license where
    `numbers_may_be_packaged`.
    """

    description: str
    license: str
    citation: str
    numbers_may_be_packaged: bool = False


KNOWN_CORPORA = {
    "emodb": CorpusFacts(
        description=(
            "Berlin Database of Emotional Speech (EmoDB): 10 German actors read 10 sentences in "
            "acted emotions.\n"
            "Known flaw: The original contains only utterances that listeners recognized well "
            "(80 % or more in the 339 of anger, happiness, neutral and sadness), so scores on it "
            "are optimistic."
        ),
        license="CC0 1.0",
        citation=(
            "F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier, B. Weiss: A Database of German "
            "Emotional Speech. Interspeech 2005, 1517-1520."
        ),
        numbers_may_be_packaged=True,
    ),
    "ravdess": CorpusFacts(
        description=(
            "Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), audio-only "
            "speech: 24 actors speak 2 English sentences in 8 acted emotions.\n"
            "Known flaw: One utterance is a copy of another (column duplicate_of; dropped by "
            "default).\n"
            "Known flaw: Half as many neutral utterances as of every other emotion.\n"
            "Known flaw: Recording level follows the emotion (calm about -49 dBFS, anger about "
            "-30)."
        ),
        license="CC BY-NC-SA 4.0",
        citation=(
            "S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional "
            "Speech and Song (RAVDESS). PLoS ONE 13(5): e0196391, 2018."
        ),
        numbers_may_be_packaged=True,
    ),
    "nemo": CorpusFacts(
        description="nEMO: 9 Polish actors read sentences in 6 acted emotions.",
        license="CC BY-NC-SA 4.0",
        citation=(
            "I. Christop: nEMO: Dataset of Emotional Speech in Polish. LREC-COLING 2024, "
            "12111-12116."
        ),
        numbers_may_be_packaged=True,
    ),
    "urdu": CorpusFacts(
        description=(
            "URDU dataset: 400 clips of speech from Urdu television talk shows, natural.\n"
            "Known flaw: The 400 clips are 200 segments of five seconds cut in two (column "
            "recording: keep a pair on one side of a split).\n"
            "Known flaw: 26 of the 29 speakers have one emotion only, so speaker and emotion are "
            "nearly confounded: only speaker-disjoint splits are meaningful, and scaling by "
            "speaker removes the emotion."
        ),
        license='No standard license: "Anyone can use this data only for research purposes."',
        citation=(
            "S. Latif, A. Qayyum, M. Usman, J. Qadir: Cross Lingual Speech Emotion Recognition: "
            "Urdu vs. Western Languages. FIT 2018 (arXiv:1812.10411)."
        ),
    ),
}
