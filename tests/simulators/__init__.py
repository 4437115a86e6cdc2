"""Vendors on loopback that follow a script, faithful to their documents, and fail on what the script does not foresee."""
