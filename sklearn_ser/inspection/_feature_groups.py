"""Which columns of acoustic features belong together: prosody, voice quality, spectrum."""

import re

#: Group, part of it, names (what a column's name, or its name behind the ``step__`` of a
#: FeatureUnion, begins with), and where the assignment comes from. The first that fits counts.
#:
#: "GeMAPS": F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice
#: Research and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016: it sorts
#: parameters into frequency, energy or amplitude, spectral (balance) and temporal ones.
#: Frequency without jitter and formants, loudness and temporal ones are prosody here; jitter,
#: shimmer and the harmonics-to-noise ratio, which it describes as measures of the voice, are voice
#: quality, as are its harmonic differences H1-H2 and H1-A3, which depend on the glottal pulse.
#: "ComParE": B. Schuller et al., "The INTERSPEECH 2013 Computational Paralinguistics Challenge",
#: 2013, and F. Weninger et al., "On the Acoustics of Emotion in Audio: What Speech, Music, and
#: Sound have in Common", Frontiers in Psychology 4, 2013, table 1: its 4 energy and 55 spectral
#: descriptors and its 6 related to voicing; the older sets use the same names.
#: "sklearn_ser": frames of Prosody, LogMelSpectrogram and MFCC, pooled by FunctionalsPooling.
FEATURE_PATTERNS = (
    (
        "prosody",
        "rhythm",
        "loudnessPeaksPerSec|VoicedSegmentsPerSec|(Mean|Stddev)(V|Unv)oicedSegmentLength",
        "GeMAPS",
    ),
    ("prosody", "rhythm", "F0final__Turn_", "IS10"),
    ("prosody", "rhythm", "(un)?voiced_(fraction|segment)", "sklearn_ser"),
    ("voice quality", "periodicity", "jitter|shimmer|HNR", "GeMAPS"),
    ("voice quality", "periodicity", "logHNR|voicingFinal|voiceProb", "ComParE"),
    ("voice quality", "periodicity", "f0_confidence", "sklearn_ser"),
    ("voice quality", "glottal pulse", "logRelF0-H1-(H2|A3)", "GeMAPS"),
    ("prosody", "pitch", "F0semitone", "GeMAPS"),
    ("prosody", "pitch", "F0(final|finEnv|env)?_sma", "ComParE"),
    ("prosody", "pitch", "f0_", "sklearn_ser"),
    ("prosody", "loudness", "loudness_sma|equivalentSoundLevel", "GeMAPS"),
    (
        "prosody",
        "loudness",
        "pcm_(RMSenergy|zcr|loudness|intensity)|audspec(Rasta)?_lengthL1norm",
        "ComParE",
    ),
    ("prosody", "loudness", "energy_", "sklearn_ser"),
    ("spectrum", "formants", "F[123](frequency|bandwidth|amplitude)", "GeMAPS"),
    ("spectrum", "balance", "alphaRatio|hammarbergIndex|slopeU?V", "GeMAPS"),
    ("spectrum", "shape", "spectralFlux", "GeMAPS"),
    ("spectrum", "shape", "pcm_fftMag_(fband|spectral|psySharpness)", "ComParE"),
    ("spectrum", "cepstrum", "(pcm_fftMag_)?mfcc", "GeMAPS, ComParE, sklearn_ser"),
    ("spectrum", "bands", "audSpec_Rfilt|logMelFreqBand|lspFreq", "ComParE, IS10"),
    ("spectrum", "bands", r"mel_\d", "sklearn_ser"),
)
#: Group of columns that no pattern fits.
OTHER = "other"


def feature_groups(names, *, detail=False):
    """Sort columns of acoustic features into prosody, voice quality and spectrum, by their names.

    Known are the names of openSMILE's sets (eGeMAPS, GeMAPS, ComParE, emobase, INTERSPEECH 2009
    to 2013), and those of :class:`~sklearn_ser.preprocessing.FunctionalsPooling` over our own
    frames. The table of patterns, with its sources, is
    ``sklearn_ser.inspection._feature_groups.FEATURE_PATTERNS``.

    Parameters
    ----------
    names : iterable of str
        Names of columns.
    detail : bool, default=False
        Finer: "prosody: pitch", "prosody: loudness", "prosody: rhythm", "spectrum: formants", ...

    Returns
    -------
    dict of str to list of str
        Group -> its columns, in their order. Columns with unknown names, such as those of an
        embedding, are in the group "other".

    Examples
    --------
    >>> from sklearn_ser.inspection import feature_groups
    >>> feature_groups(["loudness_sma3_amean", "mfcc1_sma3_amean", "mel_03_mean", "ge2e_mean_000"])
    {'prosody': ['loudness_sma3_amean'], 'spectrum': ['mfcc1_sma3_amean', 'mel_03_mean'],
     'other': ['ge2e_mean_000']}
    """
    found = {}
    for name in names:
        found.setdefault(_group_of(str(name), detail), []).append(name)
    return found


def _group_of(name, detail):
    for group, part, pattern, _ in FEATURE_PATTERNS:
        if re.search(f"(?:^|__)(?:{pattern})", name):
            return f"{group}: {part}" if detail else group
    return OTHER
