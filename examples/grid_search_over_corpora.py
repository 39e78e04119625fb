"""
Grid search over whole corpora
==============================

A search whose every fold leaves one corpus out, in stock scikit-learn: ids travel with X (as
index levels), auxiliary targets travel as metadata and only `fit` sees them.

Needs no audio: the features are packaged.
"""

from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_ser import (
    GroupScaler,
    LeaveOneCorpusOut,
    MTLNeuralClassifier,
    load_features,
    uar_scorer,
)

# %%
# eGeMAPS functionals of EmoDB, nEMO and RAVDESS; the four emotions that all three have.
data = load_features("egemaps")
emotions = ["anger", "happiness", "neutral", "sadness"]
selected = data.frame["emotion"].isin(emotions).to_numpy()
X, frame = data.X[selected], data.frame[selected]
print(X.iloc[:3, :3])

# %%
# The scaler finds the corpus in X's index. The net takes `gender` as an auxiliary target, whose
# weight is searched, and keeps the speakers of its early-stopping rows apart.
net = MTLNeuralClassifier(tasks={"gender": "classification"}, max_epochs=30, random_state=0)
model = make_pipeline(GroupScaler(by="corpus"), net)
grid = {"mtlneuralclassifier__tasks__gender__weight": [0.1, 1.0]}

# %%
# One vector of speakers serves the net, one of corpora the splitter: routing brings each to
# whoever asked for it.
with config_context(enable_metadata_routing=True):
    search = GridSearchCV(model, grid, cv=LeaveOneCorpusOut(), scoring=uar_scorer)
    search.fit(
        X,
        frame["emotion"],
        aux=frame[["gender"]],
        corpus=frame["corpus"],
        speaker=frame["speaker"],
    )
for params, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(params, f"unweighted average recall {score:.3f}")
