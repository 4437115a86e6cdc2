"""The fault suite: real processes, real kills, and the wire as the witness. Nothing in production imports it."""
