"""Encoders: from features or frames to the shared representation."""
