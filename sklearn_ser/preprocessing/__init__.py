"""Scaling by group, the switches that keep an eye on it, and training without failed rows."""

from sklearn_ser.preprocessing._group_scaler import GroupScaler
from sklearn_ser.preprocessing._skip_failed_rows import SkipFailedRows
from sklearn_ser.preprocessing._transduction import one_utterance_at_a_time, watch_transduction

__all__ = ["GroupScaler", "SkipFailedRows", "one_utterance_at_a_time", "watch_transduction"]
