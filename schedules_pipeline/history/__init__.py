"""Recorded upstream histories: read, written, exported from the store, imported into the sources.

Does not belong here: playing a history in its own time, which is a demonstration (``demo``).
"""
