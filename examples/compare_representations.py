"""
What a second task does to the representation
=============================================

A network with gender as an auxiliary task and one without it, looked at from inside: losses by
task, the shared representation of speakers that neither has heard, and how far emotions stand
apart in it.

Needs no audio: the features are packaged.
"""

from sklearn_ser import SpeakerKFold, load_features, make_multi_task_net, make_single_task_net
from sklearn_ser.evaluation import fit_model
from sklearn_ser.inspection import (
    RepresentationDisplay,
    TrainingHistoryDisplay,
    representation_silhouette,
)

# %%
# GE2E speaker embeddings of EmoDB and nEMO; the four emotions that both have.
data = load_features("ge2e")
emotions = ["anger", "happiness", "neutral", "sadness"]
selected = (data.frame["emotion"].isin(emotions) & data.frame["corpus"].ne("ravdess")).to_numpy()
X, frame = data.X[selected], data.frame[selected]
networks = {
    "single-task": make_single_task_net(None, random_state=0),
    "with gender": make_multi_task_net(None, random_state=0),
}

# %%
# On the rows that a network learned from, its clusters say little. So: silhouettes of the
# emotions of held-out speakers, in five folds. Gender need not help; look before you believe it.
silhouettes = representation_silhouette(
    networks, X, frame["emotion"], aux=frame[["gender"]], speaker=frame["speaker"]
)
print(silhouettes.groupby("estimator", sort=False)["silhouette"].agg(["mean", "std"]).round(3))

# %%
# The same in pictures: fitted without the speakers of the first fold, shown on them.
train, test = next(SpeakerKFold(5).split(X, frame["emotion"]))
fitted = {
    name: fit_model(network, frame.iloc[train], X=X.iloc[train], aux=("gender",))
    for name, network in networks.items()
}
history = TrainingHistoryDisplay.from_estimators(fitted)
history.figure_.savefig("training_history.png")
held_out = frame.iloc[test]
display = RepresentationDisplay.from_estimators(
    fitted,
    X.iloc[test],
    held_out["emotion"],
    groups=held_out["speaker"],
    style=held_out["corpus"],
    fold_silhouettes=silhouettes,
    random_state=0,
)
display.figure_.savefig("representations.png")
for name, scores in display.silhouettes.items():
    print(
        f"{name}: clusters of emotions {scores['emotion']:.2f}, of speakers {scores['speaker']:.2f}"
    )
