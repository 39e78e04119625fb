"""AugmentingClassifier in this package's own evaluation."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_ser import (
    AugmentingClassifier,
    MTLNeuralClassifier,
    SpeakerEmbedding,
    cross_corpus_validate,
    load_features,
    make_speech_corpus,
)
from sklearn_ser.augmentation import FeatureNoise, Gain
from sklearn_ser.evaluation import fit_model, predict_table, predict_timeline
from sklearn_ser.preprocessing import GroupScaler


def test_cross_corpus_validate_from_audio(tmp_path):
    frame = make_speech_corpus(n_speakers=4, n_utterances=1, random_state=0).frame
    frame["corpus"] = np.where(np.arange(16) < 8, "a", "b")
    pipeline = make_pipeline(SpeakerEmbedding(store=tmp_path / "s"), LogisticRegression())
    model = AugmentingClassifier(pipeline, {"soft": Gain(-9.0)}, random_state=0)
    result = cross_corpus_validate({"plain": pipeline, "augmented": model}, frame, verbose=0)
    assert len(result.predictions) == 2 * 16
    assert result.predictions["y_pred"].notna().all()
    fitted = fit_model(model, frame, aux=())
    assert fitted.n_rows_ == {"original": 16, "soft": 16}
    table = predict_table(fitted, frame[["file"]])
    assert table["label"].tolist() == fitted.predict(frame[["file"]]).tolist()
    assert len(predict_timeline(fitted, frame[["file"]].iloc[:1], window=0.5, hop=0.25)) > 1


def test_cross_corpus_validate_of_features():
    data = load_features("egemaps")
    frame, X = data.frame.iloc[::8], data.X.iloc[::8]
    net = MTLNeuralClassifier(max_epochs=1, random_state=0)
    inner = AugmentingClassifier(net, FeatureNoise(0.3), random_state=0)
    model = make_pipeline(GroupScaler(by="corpus"), inner)
    result = cross_corpus_validate(
        {"net": model}, frame, X=X, aux=("gender",), labels=["anger", "sadness"], verbose=0
    )
    assert result.predictions["y_pred"].isin(["anger", "sadness"]).all()
