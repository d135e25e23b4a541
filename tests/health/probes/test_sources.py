"""Probes of sources: they find an existing document, and accept an absence only from the source itself."""

from datetime import timedelta
from random import Random

import pytest
from cli_stage import BRAND, EPISODE, KEY, Stage, schedule_put
from toy_world import ItemPut

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.probes.canary import canary_names
from schedules_pipeline.health.probes.probe import Verdict
from schedules_pipeline.health.probes.sources import (
    probe_bucket,
    probe_catalogue,
    probe_legacy,
    probe_writes,
)

_ABSENT, _NO_ITEM = ScheduleKey.parse("doctor_canary_1/2026-03-28"), Pid("00000000")


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    made.happen(ItemPut(BRAND, "Harbour Lights"), ItemPut(EPISODE, "Low Tide", BRAND), schedule_put(KEY))
    return made


def test_a_bucket_that_has_one_and_lacks_another_passes(stage: Stage) -> None:
    """The finding names both."""
    [finding] = probe_bucket(stage.upstreams.schedule_source, _ABSENT)

    assert finding.verdict is Verdict.PASSED
    assert str(_ABSENT) in finding.text


def test_a_bucket_that_lists_what_it_denies_fails(stage: Stage) -> None:
    """A proxy that answers listings and not objects is found."""
    source = stage.upstreams.schedule_source
    listed = list(source.list_keys())
    source.remove(KEY)
    source.list_keys = lambda: iter(listed)  # type: ignore[method-assign]

    [finding] = probe_bucket(source, _ABSENT)

    assert finding.verdict is Verdict.FAILED


def test_an_answer_that_is_not_from_s3_is_raised(stage: Stage) -> None:
    """A gateway's 404 is no absence; the adapter's error says so."""
    source = stage.upstreams.schedule_source
    source.fetch = lambda keys: dict.fromkeys(keys, ServiceError("not from AWS"))  # type: ignore[method-assign]

    with pytest.raises(ServiceError, match="not from AWS"):
        list(probe_bucket(source, _ABSENT))


def test_an_empty_bucket_and_an_existing_canary_prove_less() -> None:
    """Neither is a fault."""
    stage = Stage()
    [empty] = probe_bucket(stage.upstreams.schedule_source, _ABSENT)
    stage.upstreams.schedule_source.put(_ABSENT, b"{}")
    taken = next(iter(probe_bucket(stage.upstreams.schedule_source, _ABSENT)))

    assert empty.verdict is taken.verdict is Verdict.UNCHECKED


def test_a_catalogue_that_has_none_of_the_copied_items_fails(stage: Stage) -> None:
    """A wrong prefix or server makes every item absent, which nothing else notices."""
    store, source = stage.pipeline.store, stage.upstreams.catalogue_source
    [well] = probe_catalogue(store, source, _NO_ITEM)
    source.read = lambda pids: {}  # type: ignore[method-assign]
    [wrong] = probe_catalogue(store, source, _NO_ITEM)
    [empty] = probe_catalogue(Stage().pipeline.store, source, _NO_ITEM)

    assert [f.verdict for f in (well, wrong, empty)] == [Verdict.PASSED, Verdict.FAILED, Verdict.UNCHECKED]


def test_the_legacy_keyspace_is_read(stage: Stage) -> None:
    """Its first document is read; an empty keyspace is no fault, and one that was refreshed to nothing is."""
    legacy = stage.upstreams.legacy
    [empty] = probe_legacy(legacy)
    legacy.refreshed = "2026-03-28T12:00:00Z"
    [gone] = probe_legacy(legacy)
    legacy.documents[KEY] = b"{}"
    [well] = probe_legacy(legacy)

    assert [f.verdict for f in (empty, gone, well)] == [Verdict.UNCHECKED, Verdict.FAILED, Verdict.PASSED]


def test_redis_accepts_writes(stage: Stage) -> None:
    """A probe that writes passes on a store that accepts it."""
    assert [finding.verdict for finding in probe_writes(stage.pipeline.store)] == [Verdict.PASSED]


def test_names_of_canaries_are_new_and_due_at_once(stage: Stage) -> None:
    """Also between midnight and the beginning of the broadcast day, when today's schedule is not on air yet."""
    calendar, random = stage.pipeline.calendar, Random(1)
    night = stage.clock().replace(hour=2)
    found = [
        canary_names(random, night + timedelta(hours=hour), calendar) for hour in range(24) for _ in range(3)
    ]

    assert len({names.key.sid for names in found}) == len({names.pid for names in found}) == len(found)
    for number, names in enumerate(found):
        assert calendar.window(names.key).contains(night + timedelta(hours=number // 3))
