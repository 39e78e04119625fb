"""EMNS, Emotive Narrative Storytelling."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Table

READER = CorpusReader(
    name="emns",
    title=(
        "Emotive Narrative Storytelling (EMNS): one British woman reads sentences in 8 acted "
        "emotions of several levels."
    ),
    languages=("en",),
    kinds=("acted",),
    license="Apache 2.0 or CC BY 4.0: sources disagree",
    citation=(
        "K. A. Noriy, X. Yang, J. J. Zhang: EMNS /Imz/ Corpus: An Emotive Single-Speaker Dataset "
        "for Narrative Storytelling in Games, Television and Graphic Novels. arXiv:2305.13137."
    ),
    homepage="https://www.openslr.org/136/",
    files=(r"recorded_audio(_\w+)?",),
    example="cleaned_webm/recorded_audio_02jmPGL.webm",
    columns={
        "speaker": "{user_id}",
        "gender": "{gender}",
        "language": "en",
        "emotion": Coded(
            "{emotion}",
            {
                "Angry": "anger",
                "Disgust": "disgust",
                "Excited": "excitement",
                "Happy": "happiness",
                "Neutral": "neutral",
                "Sad": "sadness",
                "Sarcastic": "sarcasm",
                "Surprise": "surprise",
                "Surprised": "surprise",
            },
        ),
        "naturalness": "acted",
        "intensity": "{level}",
        "age": "{age}",
        "transcript": "{utterance}",
    },
    tables=(Table(r"metadata\.csv", key="{audio_recording}", separator="|"),),
    utterances=(1181,),
    speakers=1,
    emotions={
        "anger": 126,
        "disgust": 162,
        "excitement": 150,
        "happiness": 157,
        "neutral": 149,
        "sadness": 147,
        "sarcasm": 139,
        "surprise": 151,
    },
    flaws=(Flaw("few_speakers", "One speaker: it serves for training or for testing, not both."),),
    uncertain="License; meaning of the levels.",
    tried_on="synthetic tree",
)
