"""PURE. What crosses process edges."""
