"""Speech vendors and voice detectors behind ports."""
