"""Speech vendors behind ports, and audio that was spoken before."""
