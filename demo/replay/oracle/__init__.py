"""What partners should have had, computed from a history without any code of the pipeline.

It parses the history itself, joins schedules and catalogue by the documented rules, and accounts for the time that
partners were behind, for losses, and for gaps and overlaps on air. It needs only the standard library.
"""
