"""Tasks: what a network learns beside the emotion."""
