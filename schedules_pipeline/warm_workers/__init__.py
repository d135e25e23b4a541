"""Dagster's runs as tasks of standing Celery workers: the extra ``celery``.

A run that starts as a process of its own imports Dagster and the definitions first. A worker has imported them, so a
publisher starts at once. ``app`` is the worker's entrance and ``launcher`` is named in ``dagster.yaml``; only these two
modules import Celery, and no other module imports them.
"""
