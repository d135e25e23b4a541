"""A recorded history of a real upstream: all of it is accepted, and nothing that outputs use is lost.

Needs ``SCHEDULES_RECORDED_HISTORY``, the path of a history as ``schedules_pipeline.history.recorded`` reads it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from schedules_pipeline.documents.accepted_schedule import (
    accept,
    parse_accepted,
    read_source,
    render_accepted,
)
from schedules_pipeline.documents.catalogue_document import parse_catalogue_document, parse_copy, render_copy
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.errors import ContentError
from schedules_pipeline.history.recorded import CatalogueUpdated, HistoryEvent, SchedulePut, read_history

_VARIABLE = "SCHEDULES_RECORDED_HISTORY"


@pytest.fixture
def recorded_events() -> Iterator[HistoryEvent]:
    """The events of the history that the environment names."""
    path = os.environ.get(_VARIABLE)
    if not path:
        pytest.skip(f"{_VARIABLE} names no recorded history")
    return read_history(Path(path))


def _schedule_survives(event: SchedulePut) -> bool:
    key = ScheduleKey(Sid(event.sid), event.date)
    source = parse_source_document(key, orjson.dumps(event.document)).schedule
    accepted = accept(source)
    parsed = parse_accepted(render_accepted(accepted))
    return parsed == accepted and read_source(key, parsed) == source


def _item_survives(event: CatalogueUpdated) -> bool:
    item = parse_catalogue_document(Pid(event.pid), orjson.dumps(event.document))
    return parse_copy(item.pid, render_copy(item)) == item


def _survives(event: HistoryEvent) -> bool:
    try:
        return (
            _schedule_survives(event)
            if isinstance(event, SchedulePut)
            else (isinstance(event, CatalogueUpdated) and _item_survives(event))
        )
    except ContentError:
        return False


def test_recorded_documents_are_accepted_and_read_back(recorded_events: Iterator[HistoryEvent]) -> None:
    """Each document of the history is accepted, and its stored form is read back as the same."""
    outcomes = [(event, _survives(event)) for event in recorded_events]

    lost = [event for event, survives in outcomes if not survives]
    assert outcomes
    assert lost == []
