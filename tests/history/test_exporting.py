"""An export gives the same content in any store that imports it."""

from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from cli_stage import BRAND, EPISODE, KEY, TOMORROW, Stage
from toy_world import BROADCASTS, EPISODES, SERIES, ItemDeleted, ItemPut, SchedulePut, Slot

from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.history.exporting import export_history
from schedules_pipeline.history.recorded import CatalogueUpdated, read_history, write_history
from schedules_pipeline.history.recorded import SchedulePut as RecordedPut

_HOSTILE = 'Low "Tide" \\ \x1b[31m\u202e\nand more'
_SLOTS = tuple(Slot(pid, episode) for pid, episode in zip(BROADCASTS, [*EPISODES, None], strict=False))


def _original() -> Stage:
    """Episodes with ancestors of every depth, a missing one, a deleted one, and a blanked broadcast."""
    stage = Stage()
    stage.happen(
        ItemPut(BRAND, "Harbour Lights", image_pid="p0image1"),
        ItemPut(SERIES[0], "", BRAND),
        ItemPut(EPISODE, _HOSTILE, SERIES[0], synopsis="A storm, and after."),
        ItemPut(EPISODES[1], "Quiet Viaduct", SERIES[1]),
    )
    stage.happen(SchedulePut(KEY, _SLOTS), SchedulePut(TOMORROW, _SLOTS[::-1], minutes=90))
    stage.happen(ItemDeleted(BRAND))
    return stage


def _rebuilt_from(path: Path) -> Stage:
    stage = Stage()
    for event in read_history(path):
        match event:
            case CatalogueUpdated(document=document, pid=pid):
                stage.upstreams.catalogue_source.documents[Pid(pid)] = orjson.dumps(document)
            case RecordedPut(document=document, sid=sid, date=day):
                key = ScheduleKey.parse(f"{sid}/{day}")
                stage.upstreams.schedule_source.put(key, orjson.dumps(document))
    stage.pipeline.publisher.rebuild_from_sources([KEY, TOMORROW], stage.session.cause("import"))
    return stage


def _contents(stage: Stage) -> dict[ScheduleKey, bytes]:
    documents = stage.store.schedules.documents([KEY, TOMORROW])
    return {key: split_document(document)[1] for key, document in documents.items()}


def test_a_history_of_a_store_gives_the_same_content(tmp_path: Path) -> None:
    """For any schedules, a rebuild from their export publishes the same bytes."""
    original = _original()
    path = tmp_path / "exported.jsonl.gz"

    write_history(path, export_history(original.store.as_store(), [KEY, TOMORROW], original.clock()))

    assert len(_contents(original)) == 2
    assert _contents(_rebuilt_from(path)) == _contents(original)


def test_an_export_of_an_export_is_the_same(tmp_path: Path) -> None:
    """Exporting a store that was built from an export gives the same events."""
    original = _original()
    path = tmp_path / "exported.jsonl.gz"
    first = list(export_history(original.store.as_store(), [KEY, TOMORROW], original.clock()))
    write_history(path, first)

    second = list(export_history(_rebuilt_from(path).store.as_store(), [KEY, TOMORROW], original.clock()))

    assert second == first


def test_schedules_without_a_source_are_left_out() -> None:
    """A schedule that was never accepted has no events."""
    stage = _original()

    events = list(
        export_history(stage.store.as_store(), [ScheduleKey.parse("elm/2026-03-28")], stage.clock())
    )

    assert events == []


@pytest.mark.parametrize("hours", [0, 5])
def test_a_written_history_is_read_back(tmp_path: Path, hours: int) -> None:
    """Every event is the same, with its instant."""
    stage = _original()
    at = stage.clock() + timedelta(hours=hours)
    events = list(export_history(stage.store.as_store(), [KEY], at))

    number = write_history(tmp_path / "written.jsonl.gz", events)

    assert number == len(events)
    assert list(read_history(tmp_path / "written.jsonl.gz")) == events
