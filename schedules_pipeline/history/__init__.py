"""Recorded upstream histories: read, written, exported from the store, imported into the sources."""
