"""Bytes to domain values and back, one module a format: the only rooms that know a field's spelling."""
