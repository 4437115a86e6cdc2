"""Benchmarks that print a table and JSON; never tests."""
