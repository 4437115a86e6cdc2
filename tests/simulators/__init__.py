"""Vendors on loopback that follow a script to the letter: what was not expected, and what did not come, fails the test."""
