"""Recorded histories of an upstream: reading, writing, importing and exporting them, and XMLTV guides as histories."""
