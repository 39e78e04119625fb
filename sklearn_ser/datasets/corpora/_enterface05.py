"""eNTERFACE'05, the audio-visual emotion database."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

READER = CorpusReader(
    name="enterface05",
    title=(
        "eNTERFACE'05 audio-visual emotion database: 43 subjects react to stories in 6 elicited "
        "emotions with 5 English sentences each (video files)."
    ),
    languages=("en",),
    kinds=("elicited",),
    license="For research",
    citation=(
        "O. Martin, I. Kotsia, B. Macq, I. Pitas: The eNTERFACE'05 Audio-Visual Emotion Database. "
        "ICDE Workshops 2006."
    ),
    homepage="http://www.enterface.net/enterface05/",
    files=(
        # The number in the file name is wrong for subject 11 (s12), and sometimes written s_3.
        r"subject (?P<speaker>\d+)/(anger|disgust|fear|happiness|sadness|surprise)"
        r"/(sentence \d/)?s_?\d+_(?P<emo>an|di|fe|ha|sa|su)(_(?P<sentence>\d)(avi)?)?",
    ),
    example="subject 1/anger/sentence 1/s1_an_1.avi",
    columns={
        "speaker": "{speaker}",
        "language": "en",
        "emotion": Coded(
            "{emo}",
            {
                "an": "anger",
                "di": "disgust",
                "fe": "fear",
                "ha": "happiness",
                "sa": "sadness",
                "su": "surprise",
            },
        ),
        "naturalness": "elicited",
        # Every emotion has its own five sentences; subject 6 has one file per emotion.
        "text": "{emo}{sentence}",
    },
    utterances=(1263,),
    speakers=43,
    emotions={
        **dict.fromkeys(("anger", "disgust", "fear", "sadness", "surprise"), 211),
        "happiness": 208,
    },
    flaws=(
        Flaw("mislabeled_ids", "Files of subject 11 are named s12: the folder is the speaker."),
        Flaw(
            "unsegmented",
            "Recordings of subject 6 are not cut into sentences: one file per emotion, without a "
            "text.",
        ),
        Flaw("incomplete_speaker", "Subject 23 has 27 utterances."),
    ),
    uncertain=(
        "Total number of utterances; gender is not published; Kim et al. (2017) count the corpus "
        "as acted."
    ),
    tried_on="original names",
)
