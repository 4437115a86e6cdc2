"""PURE. Who has the floor, and what of a reply was heard."""
