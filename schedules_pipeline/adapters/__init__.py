"""Implementations of the ports on real services; the only rooms that import their clients."""
