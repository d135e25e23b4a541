"""Recorded histories of an upstream: reading and writing them, importing and exporting, and XMLTV guides as histories."""
