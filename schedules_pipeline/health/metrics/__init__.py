"""Metrics for Prometheus, read from the store at each scrape."""
