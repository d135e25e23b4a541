"""The JSON in which events are stored: Dagster's own, without spaces and without the optional fields that are empty.

Dagster reads a field that is left out as empty. These fields are a fifth of an evaluation, which is stored twice.
"""

from typing import Any

import dagster as dg
import orjson
from dagster_shared.serdes import pack_value

_OPTIONAL = {
    *(
        "asset_lineage",
        "blocking",
        "description",
        "logging_tags",
        "message",
        "metadata",
        "metadata_entries",
        "pid",
    ),
    *("solid_handle", "step_handle", "step_kind_value", "tags", "target_materialization_data"),
}


def packed_event(entry: dg.EventLogEntry) -> str:
    return orjson.dumps(_without_empty(pack_value(entry))).decode()


def _without_empty(packed: Any) -> Any:
    """Only Dagster's own objects lose fields; values of metadata keep theirs."""
    if isinstance(packed, list):
        return [_without_empty(each) for each in packed]
    if not isinstance(packed, dict) or "__class__" not in packed:
        return packed
    return {name: _without_empty(value) for name, value in packed.items() if value or name not in _OPTIONAL}
