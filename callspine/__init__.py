"""Command line, settings and composition."""
