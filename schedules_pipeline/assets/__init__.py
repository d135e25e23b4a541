"""The assets: the upstream sources, the catalogue copies, the schedules, reports.

Belongs here: what Dagster shows of them, and bodies that call workflows. Does not belong here: the workflows.
"""
