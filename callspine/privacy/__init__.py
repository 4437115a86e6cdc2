"""What keeps callers' words from readers of Temporal: encryption, and words kept apart from the history."""
