"""Carries audio and text between the wire and the pure cores."""
