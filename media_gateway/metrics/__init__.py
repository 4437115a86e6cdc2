"""What a gateway tells of itself: Prometheus metrics, and the port that tracing uses, too."""
