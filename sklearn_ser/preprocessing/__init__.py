"""Scaling by group, and the switches that keep an eye on it."""

from sklearn_ser.preprocessing._group_scaler import GroupScaler
from sklearn_ser.preprocessing._transduction import one_utterance_at_a_time, watch_transduction

__all__ = ["GroupScaler", "one_utterance_at_a_time", "watch_transduction"]
