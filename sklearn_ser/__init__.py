"""sklearn_ser: a scikit-learn-compatible toolkit for speech emotion recognition.

Its public names load on first use: importing the package imports neither torch nor opensmile.
"""

from sklearn_ser._lazy import lazy_attributes

__version__ = "0.1.0"

_LOCATIONS = {
    name: f"sklearn_ser.{module}"
    for module, names in {
        "augmentation": (
            "AddNoise",
            "AddReverb",
            "AudiomentationsAugmenter",
            "AugmentingClassifier",
            "Clip",
            "Codec",
            "CutMix",
            "FeatureNoise",
            "Gain",
            "Mixup",
            "PitchShift",
            "SpecAugment",
            "SpeedPerturbation",
            "TelephoneBand",
            "TempoPerturbation",
            "TimeMask",
            "TimeShift",
            "TimeWarp",
            "VocalTractLengthPerturbation",
        ),
        "datasets": (
            "Corpus",
            "concat_corpora",
            "load_corpus",
            "load_functionals",
            "make_speech_corpus",
        ),
        "evaluation": (
            "AuditReport",
            "EvaluationResult",
            "adversarial_robustness",
            "audit_corpus",
            "audit_split",
            "cross_corpus_validate",
            "noise_robustness",
            "predict_timeline",
        ),
        "feature_extraction": (
            "FeatureStore",
            "LogMelSpectrogram",
            "MFCC",
            "OpenSmileExtractor",
            "PretrainedEmbedding",
            "Prosody",
            "SlidingWindows",
            "SpeakerEmbedding",
        ),
        "metrics": (
            "auc_score",
            "auc_scorer",
            "brier_score",
            "ccc_scorer",
            "cluster_interval",
            "concordance_cc",
            "corrected_t_test",
            "critical_difference",
            "equal_error_rate",
            "expected_calibration_error",
            "group_gap",
            "group_scores",
            "holm",
            "macro_f1_score",
            "macro_f1_scorer",
            "make_group_scorer",
            "make_recall_scorers",
            "make_ser_scorer",
            "make_uar_scorer",
            "mean_absolute_error",
            "neg_brier_scorer",
            "neg_ece_scorer",
            "neg_eer_scorer",
            "neg_mae_scorer",
            "paired_test",
            "pearson_cc",
            "pearson_scorer",
            "recall_by_class",
            "uar_score",
            "uar_scorer",
            "war_score",
            "war_scorer",
        ),
        "model_selection": (
            "CorpusAdaptationSplit",
            "CrossLanguageSplit",
            "LeaveOneCorpusOut",
            "LeaveOneSpeakerOut",
            "PairwiseCorpusSplit",
            "SentenceSpeakerKFold",
            "SpeakerKFold",
            "UnlabelledInTraining",
            "WithinCorpusSpeakerKFold",
        ),
        "neural_network": (
            "AdversarialTask",
            "AdversarialTraining",
            "BatchSpecAugment",
            "ClassificationTask",
            "ConsistencyTask",
            "ContrastiveTask",
            "ELMClassifier",
            "HighLevelFeatures",
            "MTLNeuralClassifier",
            "PseudoLabels",
            "ReconstructionTask",
            "RegressionTask",
        ),
        "persistence": ("export_onnx", "load_model", "save_model"),
        "preprocessing": (
            "FrameScaler",
            "FunctionalsPooling",
            "GroupScaler",
            "SkipFailedRows",
            "sliding_windows",
        ),
        "recipes": (
            "make_dnn_elm",
            "make_lstm_elm",
            "make_mtl_aug",
            "make_multi_task_net",
            "make_single_task_net",
            "make_svm_baseline",
        ),
    }.items()
    for name in names
} | {
    module: f"sklearn_ser.{module}"
    for module in (
        "audio",
        "augmentation",
        "datasets",
        "evaluation",
        "exceptions",
        "feature_extraction",
        "inspection",
        "metrics",
        "model_selection",
        "neural_network",
        "persistence",
        "preprocessing",
        "recipes",
        "utils",
    )
}

__all__ = sorted(_LOCATIONS)
__getattr__, __dir__ = lazy_attributes(__name__, _LOCATIONS)
