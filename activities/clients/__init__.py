"""One vendor or store a file; activities call them from threads."""
