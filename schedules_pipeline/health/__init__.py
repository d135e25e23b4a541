"""Detects faults of the running system: facts, conditions, incidents, metrics, liveness.

Repairs belong to ``maintenance``.
"""
