"""Partners, their keys and their limits."""
