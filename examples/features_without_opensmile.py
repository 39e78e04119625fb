"""
Utterance features without openSMILE
====================================

openSMILE may not be used commercially without a license. Statistics of a log-mel spectrogram and
of pitch, voicing and energy make one table of features under permissive licenses alone.

Needs the extra `prosody` (``pip install 'sklearn-ser[prosody]'``).
"""

from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import (
    FunctionalsPooling,
    GroupScaler,
    LogMelSpectrogram,
    Prosody,
    cross_corpus_validate,
    make_speech_corpus,
)

# %%
# A synthetic corpus stands for yours.
frame = make_speech_corpus(n_speakers=6, duration=1.0, random_state=0).frame

# %%
# Two sequences of frames for each utterance, and the statistics of each. Those of pitch are of
# voiced frames alone; how voice comes and goes is added.
features = FeatureUnion(
    [
        ("spectrum", make_pipeline(LogMelSpectrogram(), FunctionalsPooling())),
        (
            "prosody",
            make_pipeline(Prosody(), FunctionalsPooling(voicing="voicing", frames="voiced")),
        ),
    ],
).set_output(transform="pandas")
table = features.fit_transform(frame)
print(table.shape)
print(table.iloc[:3, [0, 560, 567, -6]].round(2))

# %%
# The table keeps the ids in its index, so that it can be scaled by corpus and evaluated.
result = cross_corpus_validate(
    {"svm": make_pipeline(GroupScaler(by="corpus"), LinearSVC(C=0.001))},
    frame,
    X=table,
    aux=(),
    protocol="within-corpus",
    n_splits=3,
)
print(result.summary())
