"""
From your own recordings to a model file
========================================

A table with a path (or an array) per utterance and whatever else is known is a corpus. Here two
synthetic ones stand for yours, so that the example runs without data.
"""

import tempfile
from pathlib import Path

from sklearn_ser import (
    concat_corpora,
    cross_corpus_validate,
    load_corpus,
    load_model,
    make_single_task_net,
    make_speech_corpus,
    make_svm_baseline,
    save_model,
)
from sklearn_ser.evaluation import fit_model, predict_table

# %%
# A CSV or a DataFrame with the columns file, speaker and emotion is enough; more is used.
corpora = []
for seed, name in enumerate(("studio", "phone")):
    table = make_speech_corpus(n_speakers=6, name=name, random_state=seed).frame
    corpora.append(load_corpus(name, table.drop(columns="corpus")))
corpus = concat_corpora(corpora, emotions="shared")
print(corpus.describe())

# %%
# Which model works on the other corpus? "single" is one utterance at a time, "transductive" uses
# the unlabeled statistics of the whole test corpus.
result = cross_corpus_validate(
    {
        "SVM": make_svm_baseline("egemaps", cv=3),
        "net": make_single_task_net("egemaps", max_epochs=20),
    },
    corpus.frame,
    aux=("gender",),
)
print(result)

# %%
# Fit on everything, keep it in one file that is safe to load, label a new recording.
model = fit_model(make_svm_baseline("egemaps", cv=3), corpus.frame, aux=())
path = Path(tempfile.mkdtemp()) / "model.ser"
save_model(model, path, info={"corpora": ["studio", "phone"]})
new = make_speech_corpus(n_speakers=2, name="new", random_state=9).frame
print(predict_table(load_model(path), new[["file"]]).head())
