"""Publishes a broadcaster's schedules to partners and rebuilds only the schedules that a change affects."""
