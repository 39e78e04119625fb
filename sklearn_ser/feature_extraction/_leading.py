"""The audio steps at the head of a Pipeline."""

from sklearn.pipeline import FeatureUnion, Pipeline

from sklearn_ser.feature_extraction._base import AudioExtractor


def leading_audio_steps(estimator):
    """The audio steps that a Pipeline begins with, as (name, step); none of anything else."""
    if not isinstance(estimator, Pipeline):
        return []
    leading = []
    for name, step in estimator.steps[:-1]:
        if not is_audio_step(step):
            break
        leading.append((name, step))
    return leading


def is_audio_step(step):
    """Whether a step is one of ours from audio to numbers, or made of such alone."""
    if isinstance(step, FeatureUnion):
        return all(is_audio_step(part) for _, part in step.transformer_list)
    if isinstance(step, Pipeline):
        return all(is_audio_step(part) for _, part in step.steps)
    return isinstance(step, AudioExtractor)
