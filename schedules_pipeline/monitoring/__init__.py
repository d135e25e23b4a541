"""The former name of :mod:`schedules_pipeline.health`; removed in version 0.3."""
