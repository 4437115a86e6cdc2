"""Which of two models, a fast and a strong one, answers a turn."""
