"""Settings that were renamed or removed. For one release, each is accepted with a warning."""

import os
import warnings
from typing import Any

RENAMED = {
    "purge_settles_seconds": "purge_delay_seconds",
    "push_set_aside_hours": "push_quarantine_hours",
    "refused_kept_days": "rejections_kept_days",
}
REMOVED = {
    "first_date": "Dagster's partitions are the schedules that exist",
    "days_ahead": "Dagster's partitions are the schedules that exist",
}


def values_under_old_names() -> dict[str, Any]:
    """The values of renamed variables that are set only under their old names. Warns of each, and of removed ones."""
    for name, reason in REMOVED.items():
        if (variable := f"SCHEDULES_{name.upper()}") in os.environ:
            message = f"{variable} has no effect any more: {reason}"
            warnings.warn(message, FutureWarning, stacklevel=3)
    values = {}
    for old, new in RENAMED.items():
        old_variable, new_variable = (f"SCHEDULES_{name.upper()}" for name in (old, new))
        if old_variable in os.environ and new_variable not in os.environ:
            message = f"{old_variable} is now {new_variable}; the next release ignores the old name"
            warnings.warn(message, FutureWarning, stacklevel=3)
            values[new] = os.environ[old_variable]
    return values
