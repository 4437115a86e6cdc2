"""Retrieval: how often the answer is among the passages, how long a look-up takes, what it costs the event loop."""
