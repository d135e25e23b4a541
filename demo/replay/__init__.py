"""Replays a recorded history through the real pipeline, and judges the result by an oracle of its own.

Belongs here: the sources and queues in memory, the simulated clock, and the report. ``oracle`` shares no code with the
pipeline.
"""
