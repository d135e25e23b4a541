"""Detects what is wrong with the running system: facts, conditions, incidents, metrics, liveness.

Repairs belong to ``maintenance``.
"""
