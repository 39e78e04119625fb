"""Encoders that turn features or frames into the representation shared by all tasks."""
