"""One side effect each, idempotent by a business key; called by workflows by name."""
