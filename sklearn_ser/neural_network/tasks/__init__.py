"""Kinds of tasks that a network can learn, their losses and how these are weighted.

The module of a kind holds its public parameters (a :class:`Task`), its form once it is bound to
training data (a :class:`FittedTask`) and its loss. `_make_tasks` lists the kinds.
"""
