"""Vendors on loopback: faithful to their documents, faults included; they fail on what their script does not foresee."""
