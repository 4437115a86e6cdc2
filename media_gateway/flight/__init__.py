"""The flight recorder of turn-taking: what the turn machine was told and what it answered, in a file a stream."""
