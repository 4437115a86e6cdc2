"""What the audio says: who speaks, how loud, and whether the caller's turn is over. One batch for all calls of a process."""
