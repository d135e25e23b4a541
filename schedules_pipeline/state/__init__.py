"""State that no source has: an export of it, and the import that restores it into an empty or a living keyspace.

Belongs here: everything that a coldstart cannot rebuild. ``docs/reference/keys.md`` says of each key whether it is
derived, temporary or exported.
"""
