"""Shortcut tests of measurements that are simulated: many rows, and no audio."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.audit._confounders import check_confounders

LABELS = ("anger", "fear", "happiness", "neutral", "sadness")
N_SPEAKERS, N_PER_LABEL = 12, 8


def speech(seed=0):
    """Return labels, speakers and measurements of natural recordings."""
    rng = np.random.default_rng(seed)
    label = np.tile(np.repeat(np.arange(len(LABELS)), N_PER_LABEL), N_SPEAKERS)
    speaker = np.repeat(np.arange(N_SPEAKERS), len(LABELS) * N_PER_LABEL)
    n, of_speaker = len(label), rng.normal(size=(3, N_SPEAKERS))[:, speaker]
    level = -25 - 2.0 * label + 3 * of_speaker[0] + rng.normal(scale=2, size=n)
    numbers = {
        "duration": np.exp(rng.normal(0.6 + 0.06 * label + 0.1 * of_speaker[1], 0.25)),
        "lead_zeros": 0.0,
        "inner_zeros": 0.0,
        "trail_zeros": 0.0,
        "lead_quiet": rng.uniform(0.05, 0.2, n),
        "trail_quiet": rng.uniform(0.05, 0.2, n),
        "level": level,
        "peak": level + 12,
        "floor": -62 + 3 * of_speaker[2] + rng.normal(size=n),
        "bandwidth": 8000.0,
        "rate": 16000.0,
    }
    frame = pd.DataFrame(
        {"emotion": np.array(LABELS)[label], "speaker": [f"s{k:02d}" for k in speaker]}
    )
    return frame, pd.DataFrame(numbers, index=frame.index)


def findings(frame, numbers):
    rng = np.random.default_rng(0)
    return check_confounders(frame, numbers, ["WAV"] * len(frame), "", "emotion", rng)


def flaws(frame, numbers):
    return [(finding.flaw, finding.severity) for finding in findings(frame, numbers)]


@pytest.mark.parametrize("block", [1e-6, 0.02, 0.072, 0.1])
def test_natural_lengths_in_blocks_of_samples(block):
    frame, numbers = speech()
    numbers["duration"] = np.ceil(numbers["duration"] / block) * block
    assert flaws(frame, numbers) == []


@pytest.mark.parametrize("n_lengths", [2, 3])
@pytest.mark.parametrize("step", [0.05, 0.25])
def test_files_of_a_few_fixed_lengths_per_label(n_lengths, step):
    frame, numbers = speech()
    rng = np.random.default_rng(1)
    code = frame["emotion"].map(LABELS.index) + len(LABELS) * rng.integers(
        n_lengths, size=len(frame)
    )
    numbers["duration"] = 1.0 + step * code + rng.uniform(-2e-4, 2e-4, len(frame))
    (finding,) = findings(frame, numbers)
    assert finding.severity == "error"
    assert finding.flaw in (
        "label predictable from fixed recording lengths",
        "label predictable from recording length",
    )
    if n_lengths > 2:
        assert finding.evidence.startswith(
            "A small tree that is given only which of some fixed lengths a recording has predicts "
            "the label of unseen speakers with a UAR of 1.00"
        )


def test_some_files_of_fixed_lengths():
    frame, numbers = speech()
    rng = np.random.default_rng(1)
    fixed = rng.random(len(frame)) < 0.7
    code = frame["emotion"].map(LABELS.index) + len(LABELS) * rng.integers(3, size=len(frame))
    numbers["duration"] = numbers["duration"].mask(fixed, 1.0 + 0.2 * code)
    assert flaws(frame, numbers) == [("label predictable from fixed recording lengths", "error")]


WITHIN = {
    "leading zeros": ("digital silence", {"lead_zeros": 0.05}),
    "trailing zeros": ("digital silence", {"trail_zeros": 0.3}),
    "zeros within": ("digital silence", {"inner_zeros": 0.1}),
    "another room": ("noise floor", {"floor": 15.0}),
    "another microphone": ("bandwidth", {"bandwidth": -4000.0}),
    "another rate": ("sampling rate", {"rate": 6050.0}),
    "another gain": ("overall level", {"level": 20.0, "peak": 20.0}),
}


@pytest.mark.parametrize("name", WITHIN)
def test_labels_of_one_speaker_that_follow_a_confounder(name):
    confounder, changes = WITHIN[name]
    frame, numbers = speech()
    changed = (frame["speaker"] == "s03") & (frame["emotion"] == "fear")
    for column, change in changes.items():
        numbers.loc[changed, column] += change
    (finding,) = findings(frame, numbers)
    assert finding.flaw == f"label predictable from {confounder} within speakers"
    assert finding.severity == "warning"
    assert list(finding.rows) == list(frame.index[frame["speaker"] == "s03"])
    assert finding.evidence.startswith("1 speaker of whom the label follows ")
    assert " (s03); s03 has " in finding.evidence


def test_what_all_speakers_show_is_reported_once():
    frame, numbers = speech()
    for column in ("level", "peak"):
        numbers[column] += 20 * (frame["emotion"] == "fear")
    assert flaws(frame, numbers) == [("label predictable from overall level", "warning")]


def test_a_speaker_with_other_conditions_for_all_labels():
    frame, numbers = speech()
    other = frame["speaker"] == "s03"
    for column, change in {
        "trail_zeros": 0.3,
        "floor": 20,
        "level": 15,
        "bandwidth": -4000,
    }.items():
        numbers.loc[other, column] += change
    assert flaws(frame, numbers) == []
