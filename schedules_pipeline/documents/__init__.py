"""Every document that the system reads, stores or delivers: one module a format, bytes on one side, domain values on
the other.

Belongs here: parsing and rendering, as pure functions. Does not belong here: the formats of one room alone, such as
webhook events (``push``) or the parity report (``migration``).
"""
