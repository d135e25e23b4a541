"""The heart of the system: from a notification to a published schedule.

Belongs here: ingesting notifications, following the catalogue, rebuilding schedules, committing them, and the ports
that this needs. Does not belong here: full passes (``maintenance``) and the old system (``migration``).
"""
