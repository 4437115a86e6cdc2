"""Models of several vendors: how each is asked, how its stream is read, and which one answers a turn."""
