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
            "EvaluationResult",
            "adversarial_robustness",
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
        "inspection": ("confident_errors", "grouped_permutation_importance"),
        "metrics": (
            "concordance_cc",
            "expected_calibration_error",
            "make_uar_scorer",
            "uar_score",
            "uar_scorer",
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
