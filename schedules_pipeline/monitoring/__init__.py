"""What the pipeline shows of itself: metrics for Prometheus, and whether it is alive and ready."""
