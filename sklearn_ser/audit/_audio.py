"""Measurements of each utterance's audio, all from one decoding, and checks of single files."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import soxr
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from scipy.fft import rfft

from sklearn_ser.audio import open_audio
from sklearn_ser.audio._decoding import (
    ReadingOptions,
    encoding_of,
    read_reference,
    reference_extent,
)
from sklearn_ser.audit._continuation import describe_edges
from sklearn_ser.audit._fingerprint import RATE as LOW_RATE
from sklearn_ser.audit._fingerprint import fingerprint
from sklearn_ser.audit._pitch import has_pitch, median_pitch
from sklearn_ser.audit._report import Finding, name_rows, plural
from sklearn_ser.audit._text import coarse_spectrum
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._parallel import split_rows
from sklearn_ser.utils._jobs import results_in_order
from sklearn_ser.utils._progress import progress

#: Length of the frames of levels in seconds.
FRAME = 0.02
#: Frames that are softer than the loudest by this much are leading or trailing silence (dB).
QUIET = 35.0
#: The noise floor is measured in a pause: so many frames of 10 ms with levels in a range of
#: `PAUSE_RANGE` dB. A pause within the speech is softer than the speech by `PAUSE_DEPTH` dB; one at
#: the very ends of a file by `EDGE_DEPTH` dB, if it has no pitch. Anything else is soft speech.
PAUSE_FRAMES, EDGE_FRAMES, PAUSE_RANGE = 4, 3, 4.0
PAUSE_DEPTH, EDGE_DEPTH = 25.0, 12.0
#: Height in dB of a step of the spectrum that is the edge of a band, if no higher level is above.
BAND_EDGE = 18.0
#: Lowest frequency of a band edge in Hz: below it the spectrum of a voice has such steps.
MIN_BANDWIDTH = 2000.0
#: Consecutive samples at the peak that are counted as clipped, and the smallest such peak.
CLIPPED_RUN, MIN_CLIPPED_PEAK = 3, 0.03


@dataclass
class AudioMeasurements:
    """Measurements of one utterance's audio, or the reason why it cannot be used."""

    #: duration, lead_zeros, inner_zeros, trail_zeros, lead_quiet, trail_quiet (seconds), level,
    #: speech_level, floor, peak (dBFS), bandwidth, pitch, rate (Hz), clipped (samples).
    numbers: dict[str, float] = field(default_factory=dict)
    format: str | None = None
    digest: bytes = b""
    codes: np.ndarray | None = None
    spectrum: np.ndarray | None = None
    edges: dict[str, tuple] = field(default_factory=dict)
    error: str | None = None


def measure_all(
    frame: pd.DataFrame, audio: str, n_jobs: int | None, verbose: int
) -> list[AudioMeasurements]:
    """Measure the audio of every row, `n_jobs` at a time, by default in threads."""
    table = open_audio(frame, audio=audio, beyond_full_scale="clip")
    backend = get_active_backend(prefer="threads")[0]
    n_parallel = backend.effective_n_jobs(Parallel(n_jobs=n_jobs, backend=backend).n_jobs)
    parts = split_rows(range(len(table)), n_parallel)
    results = []
    with progress(total=len(table), desc="audit", unit="utt", verbose=verbose) as bar:
        tasks = (delayed(_measure_part)(table.part(rows).references) for rows in parts)
        for measurements in results_in_order(tasks, n_jobs, backend):
            results += measurements
            bar.update(len(measurements))
    return results


def _measure_part(references):
    measurements = []
    for row, reference in enumerate(references.values):
        if row in references.faults:
            measurements.append(AudioMeasurements(error=references.faults[row]))
            continue
        try:
            measurements.append(_measure(reference, *references.span(row)))
        except AudioError as error:
            measurements.append(AudioMeasurements(error=error.reason))
    return measurements


def _measure(reference, start, end):
    """Measure one audio reference from `start` to `end` in seconds, which are NaN if unknown."""
    _, _, rate = reference_extent(reference, start, end, 16000)
    signal, _ = read_reference(
        reference, start, end, ReadingOptions(rate, 0.0, "clip", False), None
    )
    numbers = {"rate": float(rate), "duration": len(signal) / rate, **_levels(signal, rate)}
    numbers["clipped"] = _clipped_samples(signal)
    numbers["bandwidth"] = _bandwidth(signal, rate)
    measurements = AudioMeasurements(numbers, encoding_of(reference), digest=_digest(signal, rate))
    if math.isfinite(numbers["level"]):
        low = signal
        if rate != LOW_RATE:
            low = soxr.resample(signal, rate, LOW_RATE, quality="HQ")
        measurements.codes = fingerprint(low)
        measurements.spectrum = coarse_spectrum(low, LOW_RATE)
        numbers["pitch"] = median_pitch(low, LOW_RATE)
        measurements.edges = describe_edges(signal, rate, numbers["speech_level"])
    return measurements


def read_low(frame, row, audio):
    """Read the signal of one row at the rate of the fingerprints."""
    table = open_audio(frame, audio=audio, sampling_rate=LOW_RATE, beyond_full_scale="clip")
    return table.part([row]).read(0)


def _digest(signal, rate):
    return hashlib.blake2b(
        signal.tobytes(), digest_size=16, salt=int(rate).to_bytes(8, "little")
    ).digest()


def _levels(signal, rate):
    """Return levels in dBFS, and seconds of zeros and of silence before and after the speech."""
    nonzero = np.flatnonzero(signal)
    n_zeros = (nonzero[0], len(signal) - 1 - nonzero[-1]) if len(nonzero) else (len(signal),) * 2
    levels = {"lead_zeros": n_zeros[0] / rate, "trail_zeros": n_zeros[1] / rate}
    power = np.square(signal, dtype=np.float64)
    levels["level"] = _decibels(power.mean())
    levels["peak"] = _decibels(power.max())
    size = max(1, round(FRAME * rate))
    n_frames = max(1, len(signal) // size)
    frames = power[: n_frames * size].reshape(n_frames, -1).mean(axis=1)
    sounding = frames[frames > 0]
    outside = sum(n_zero // size for n_zero in n_zeros)
    levels["inner_zeros"] = max(0, len(frames) - len(sounding) - outside) * FRAME
    if not len(sounding):
        return levels | dict.fromkeys(("speech_level", "floor"), math.nan)
    levels["speech_level"] = float(np.percentile(10 * np.log10(sounding), 95))
    levels["floor"] = _floor(power, signal, rate, levels["speech_level"])
    decibels = 10 * np.log10(np.maximum(frames, 1e-30))
    loud = np.flatnonzero(decibels > decibels.max() - QUIET)
    levels["lead_quiet"] = loud[0] * FRAME
    levels["trail_quiet"] = (n_frames - 1 - loud[-1]) * FRAME
    return levels


def _floor(power, signal, rate, speech_level):
    """Return the level of the quietest pause in dBFS; NaN without a pause."""
    size = max(1, round(0.01 * rate))
    n_frames = len(power) // size
    if n_frames < 2 * PAUSE_FRAMES:
        return math.nan
    frames = power[: n_frames * size].reshape(n_frames, size).mean(axis=1)
    # Digital zeros are not noise.
    levels = 10 * np.log10(np.where(frames > 1e-15, frames, np.nan))
    spans = np.lib.stride_tricks.sliding_window_view(levels, PAUSE_FRAMES)
    means = spans.mean(axis=1)
    is_pause = (np.ptp(spans, axis=1) <= PAUSE_RANGE) & (means <= speech_level - PAUSE_DEPTH)
    floors = means[is_pause].tolist()
    n = EDGE_FRAMES * size
    for edge, part in ((levels[:EDGE_FRAMES], signal[:n]), (levels[-EDGE_FRAMES:], signal[-n:])):
        low = np.ptp(edge) <= PAUSE_RANGE and edge.mean() <= speech_level - EDGE_DEPTH
        if low and not has_pitch(part, rate):
            floors.append(float(edge.mean()))
    return min(floors, default=math.nan)


def _decibels(power):
    return 10 * math.log10(power) if power > 0 else -math.inf


def _clipped_samples(signal):
    """Count samples in runs at the peak: clipped audio, at whatever level it is now."""
    count = 0
    for side in (signal, -signal):
        peak = side.max()
        if peak < MIN_CLIPPED_PEAK:
            continue
        at_peak = np.concatenate([[0], (side >= peak - 2**-17).astype(np.int8), [0]])
        steps = np.flatnonzero(np.diff(at_peak))
        runs = steps[1::2] - steps[::2]
        count += int(runs[runs >= CLIPPED_RUN].sum())
    return float(count)


def _bandwidth(signal, rate):
    """Return the upper band edge in Hz: half the rate, unless the spectrum ends in a step."""
    n_fft = 1024
    if len(signal) < 2 * n_fft:
        return math.nan
    hop = max(n_fft, len(signal) // 64)
    starts = np.arange(0, len(signal) - n_fft, hop)
    frames = signal[starts[:, None] + np.arange(n_fft)] * np.hanning(n_fft).astype(np.float32)
    power = np.square(np.abs(rfft(frames, axis=1))).mean(axis=0)
    if not power.any():
        return math.nan
    hertz = rate / n_fft
    levels = 10 * np.log10(power + 1e-14 * power.max() + 1e-20)
    width, gap = max(2, round(400 / hertz)), max(1, round(250 / hertz))
    # No level above a band edge is as high as the level just below it.
    above = np.maximum.accumulate(levels[::-1])[::-1]
    below = np.convolve(levels, np.ones(width) / width, "valid")  # [k]: mean of k .. k+width-1
    edges = np.arange(max(width, int(MIN_BANDWIDTH / hertz)), len(levels) - gap - width // 2)
    steps = below[edges - width] - above[edges + gap]
    is_band = steps.max(initial=0.0) > BAND_EDGE
    return float((edges[steps.argmax()] if is_band else len(levels) - 1) * hertz)


#: Root-mean-square level in dBFS below which there is hardly any signal: 16 bits reach to -96.
NEARLY_SILENT = -60.0
#: Clipped samples per second from which on clipping is audible.
CLIPPED_PER_SECOND = 5.0


def check_files(frame: pd.DataFrame, measurements: list[AudioMeasurements]) -> list[Finding]:
    """Check single files."""
    findings = []
    failed = [row for row, measured in enumerate(measurements) if measured.error is not None]
    if failed:
        text = (
            f"{plural(len(failed), 'file')} cannot be used ({name_rows(frame, failed)}). The error "
            f"of the first: {measurements[failed[0]].error}. Evaluations count these rows as "
            f"misses: replace the files, or drop the rows."
        )
        findings.append(Finding("unreadable audio", "error", "", text, failed))
    level = _column(measurements, "level")
    empty = np.flatnonzero(np.isneginf(level))
    if len(empty):
        text = (
            f"{plural(len(empty), 'file')} of digital silence ({name_rows(frame, empty)}). They "
            f"have a label and no speech: replace the files, or drop the rows."
        )
        findings.append(Finding("silent audio", "error", "", text, empty))
    soft = np.flatnonzero((level < NEARLY_SILENT) & np.isfinite(level))
    if len(soft):
        text = (
            f"{plural(len(soft), 'file')} below {NEARLY_SILENT:g} dBFS ({name_rows(frame, soft)}); "
            f"the softest has {np.min(level[soft]):.1f} dBFS. Little of the speech is left above "
            f"the quantization noise: listen to them, and drop those that cannot be understood."
        )
        findings.append(Finding("nearly silent audio", "warning", "", text, soft))
    rate = _column(measurements, "clipped") / _column(measurements, "duration")
    clipped = np.flatnonzero(rate >= CLIPPED_PER_SECOND)
    if len(clipped):
        worst = clipped[np.argmax(rate[clipped])]
        text = (
            f"{plural(len(clipped), 'file')} clipped at the peak ({name_rows(frame, clipped)}); "
            f"the worst has {rate[worst]:.0f} clipped samples per second. Clipping distorts the "
            f"spectrum, and loud emotions are clipped more often: check whether it affects one "
            f"label more than others."
        )
        findings.append(Finding("clipped audio", "warning", "", text, clipped))
    return findings


def _column(measurements, name):
    return np.array([measured.numbers.get(name, math.nan) for measured in measurements])
