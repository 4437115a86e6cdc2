"""The faults, one a module, in the order in which they are run."""
