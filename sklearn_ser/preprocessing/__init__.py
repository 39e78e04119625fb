"""Scaling by group and of frames, windows, pooling of frames, training without failed rows."""

from sklearn_ser.preprocessing._frame_scaler import FrameScaler
from sklearn_ser.preprocessing._functionals_pooling import FunctionalsPooling
from sklearn_ser.preprocessing._group_scaler import GroupScaler
from sklearn_ser.preprocessing._segments import window_table
from sklearn_ser.preprocessing._skip_failed_rows import SkipFailedRows
from sklearn_ser.preprocessing._transduction import one_utterance_at_a_time, watch_transduction

__all__ = [
    "FrameScaler",
    "FunctionalsPooling",
    "GroupScaler",
    "SkipFailedRows",
    "one_utterance_at_a_time",
    "watch_transduction",
    "window_table",
]
