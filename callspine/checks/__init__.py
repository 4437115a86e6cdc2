"""What `make check` checks beside the linters."""
