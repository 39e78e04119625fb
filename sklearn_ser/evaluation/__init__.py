"""Honest answers to "which model generalizes?": validation across corpora and its results."""

from sklearn_ser._lazy import lazy_attributes

__all__ = [
    "PROTOCOLS",
    "AuditReport",
    "EvaluationResult",
    "adversarial_robustness",
    "audit_corpus",
    "audit_split",
    "cross_corpus_validate",
    "fit_model",
    "noise_robustness",
    "predict_table",
    "predict_timeline",
]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "PROTOCOLS": "sklearn_ser.evaluation._names",
        "adversarial_robustness": "sklearn_ser.evaluation._adversarial",
        "AuditReport": "sklearn_ser.evaluation._audit_report",
        "audit_corpus": "sklearn_ser.evaluation._audit_corpus",
        "audit_split": "sklearn_ser.evaluation._audit_split",
        "EvaluationResult": "sklearn_ser.evaluation._result",
        "cross_corpus_validate": "sklearn_ser.evaluation._validate",
        "fit_model": "sklearn_ser.evaluation._model",
        "noise_robustness": "sklearn_ser.evaluation._noise",
        "predict_table": "sklearn_ser.evaluation._model",
        "predict_timeline": "sklearn_ser.evaluation._timeline",
    },
)
