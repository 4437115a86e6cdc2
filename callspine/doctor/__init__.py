"""`callspine doctor`: what of the system works, how fast, and what to do about the rest."""
