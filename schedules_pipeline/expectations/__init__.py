"""Learns the expected ranges of each service and weekday from published days, and reports the days outside them.

The values that others use are in ``publishing/ports/expectations.py``. Only this room imports pandas for them.
"""
