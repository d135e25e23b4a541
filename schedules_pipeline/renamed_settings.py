"""Settings that were renamed. Their old names are understood for one release, with a warning."""

import os
import warnings
from typing import Any

RENAMED = {
    "purge_settles_seconds": "purge_delay_seconds",
    "push_set_aside_hours": "push_quarantine_hours",
    "refused_kept_days": "rejections_kept_days",
}


def values_under_old_names() -> dict[str, Any]:
    """The values of renamed variables that are set only under their old names; warns of each."""
    values = {}
    for old, new in RENAMED.items():
        old_variable, new_variable = (f"SCHEDULES_{name.upper()}" for name in (old, new))
        if old_variable in os.environ and new_variable not in os.environ:
            message = f"{old_variable} is now {new_variable}; the next release ignores the old name"
            warnings.warn(message, FutureWarning, stacklevel=3)
            values[new] = os.environ[old_variable]
    return values
