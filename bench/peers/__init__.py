"""Other systems, measured on the same line before the same vendors. Each runs by the Python of its own environment."""
