"""The passages that a script may quote."""
