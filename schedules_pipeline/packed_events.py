"""What an event is about, and its JSON: Dagster's own, without spaces and without the optional fields that are empty.

Dagster reads a field that is left out as empty. These fields are a fifth of an evaluation, which is stored twice.
"""

from typing import Any

import dagster as dg
import orjson
from dagster._core.events import DagsterEventType
from dagster_shared.serdes import pack_value

Subject = tuple[dg.AssetKey | None, str | None]
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


def is_evaluation(entry: dg.EventLogEntry) -> bool:
    return entry.dagster_event_type is DagsterEventType.ASSET_CHECK_EVALUATION


def is_materialisation(entry: dg.EventLogEntry) -> bool:
    return entry.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION


def subject_of(entry: dg.EventLogEntry) -> Subject:
    """The asset and partition that a materialisation or an evaluation is about."""
    event = entry.get_dagster_event()
    if is_evaluation(entry):
        evaluation: Any = event.event_specific_data
        return evaluation.asset_key, evaluation.partition
    return event.asset_key, event.partition
