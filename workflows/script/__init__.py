"""PURE. What may be said next."""
