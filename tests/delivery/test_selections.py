"""Representations of several schedules."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from delivery.asking import Stage, document_of, held
from delivery.guides import ALDER, BIRCH, NOON, TODAY, key, schedule, showing

from schedules_pipeline.delivery.packing import Packed
from schedules_pipeline.delivery.representations import Representation, Tables
from schedules_pipeline.delivery.selections import Selection, represent
from schedules_pipeline.documents.guide_formats import JSON_FORMAT, GuideFormat
from schedules_pipeline.domain.day_cut import DayCut, Straddling
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.settings import Settings

_DAY = timedelta(days=1)
_BROADCAST, _UTC = DayCut.parse("broadcast"), DayCut.parse("utc")
_TODAYS = schedule(key(), [showing(1, NOON), showing(2, NOON + _DAY / 2 - timedelta(minutes=10))])
_TOMORROWS = schedule(key(days=1), [showing(3, NOON + _DAY)], seq=2)


@pytest.fixture
def stage() -> Stage:
    """Today and tomorrow of one service."""
    stage = Stage()
    stage.publish(_TODAYS, _TOMORROWS)
    return stage


def _selected(
    stage: Stage,
    sids: tuple[Sid, ...] = (ALDER,),
    first: date = TODAY,
    last: date = TODAY,
    cut: DayCut = _BROADCAST,
    straddling: Straddling = Straddling.STARTS,
    offer: GuideFormat = JSON_FORMAT,
) -> Representation:
    found = represent(stage.delivery, Selection(sids, first, last, cut, straddling), offer, stage.clock())
    assert found is not None
    return found


def _body(found: Representation) -> Any:
    assert isinstance(found.source, Callable)  # type: ignore[arg-type]
    return orjson.loads(found.source())  # type: ignore[operator]


def test_documents_stand_side_by_side_as_published(stage: Stage) -> None:
    """In JSON, broadcast days are the published documents, byte by byte, with the names of those that there are not."""
    found = _selected(stage, (ALDER, BIRCH), TODAY, TODAY + _DAY)

    assert not isinstance(found.source, Packed | tuple | Tables)
    assert found.source() == (
        b'{"schedules":[' + document_of(_TODAYS) + b"," + document_of(_TOMORROWS) + b"],"
        b'"missing":["birch_two/2026-03-10","birch_two/2026-03-11"]}'
    )


def test_nothing_is_selected_where_nothing_is_published(stage: Stage) -> None:
    """A selection without schedules, or with removed ones only, has no representation."""
    stage.delivery.mirror.advance("9-0", [held(schedule(key(BIRCH), [], 1), removed=True)], NOON)

    found = [
        represent(stage.delivery, Selection((sid,), TODAY, TODAY, _BROADCAST), JSON_FORMAT, NOON)
        for sid in (BIRCH, Sid("cedar"))
    ]

    assert found == [None, None]


def test_other_days_are_cut_from_several_documents(stage: Stage) -> None:
    """A partner's own day is a guide of the broadcasts that begin in it, from all schedules that list them."""
    guides = _body(_selected(stage, cut=DayCut.parse("23:00"), last=TODAY + _DAY))["guides"]

    assert [(guide["start"], guide["end"]) for guide in guides] == [
        ("2026-03-10T23:00:00Z", "2026-03-12T23:00:00Z")
    ]
    assert [shown["broadcast_pid"] for shown in guides[0]["broadcasts"]] == ["w0000002", "w0000003"]


def test_straddling_decides_about_the_edge(stage: Stage) -> None:
    """A broadcast across midnight is in the day that it starts in, or in both if that is asked for."""
    starts = _body(_selected(stage, cut=_UTC, first=TODAY + _DAY, last=TODAY + _DAY))
    overlaps = _body(
        _selected(stage, cut=_UTC, first=TODAY + _DAY, last=TODAY + _DAY, straddling=Straddling.OVERLAPS)
    )

    pids = [
        [shown["broadcast_pid"] for shown in each["guides"][0]["broadcasts"]] for each in (starts, overlaps)
    ]
    assert pids == [["w0000003"], ["w0000002", "w0000003"]]


def test_validator_is_another_for_everything_else_that_is_asked(stage: Stage) -> None:
    """Everything that changes the bytes changes the validator: days, services, cut, straddling, format and its
    revision.
    """
    other = GuideFormat("xmltv", "application/xml", (), JSON_FORMAT.render, "1")
    asked = [
        _selected(stage),
        _selected(stage, last=TODAY + _DAY),
        _selected(stage, (ALDER, BIRCH)),
        _selected(stage, cut=_UTC),
        _selected(stage, cut=_UTC, straddling=Straddling.OVERLAPS),
        _selected(stage, offer=other),
        _selected(stage, offer=GuideFormat("xmltv", "application/xml", (), JSON_FORMAT.render, "2")),
    ]

    validators = {found.validator for found in asked}

    assert len(validators) == len(asked)
    assert _selected(stage).validator == asked[0].validator


@pytest.mark.parametrize("change", ["version", "removal", "publication"])
def test_validator_is_another_for_another_content(stage: Stage, change: str) -> None:
    """A new version, a removal and a publication of any part make other bytes, and another validator."""
    before = _selected(stage, (ALDER, BIRCH), TODAY, TODAY + _DAY).validator
    news = {
        "version": held(schedule(key(), [showing(1, NOON)], 3)),
        "removal": held(schedule(key(), [], 3), removed=True),
        "publication": held(schedule(key(BIRCH), [])),
    }

    stage.delivery.mirror.advance("9-0", [news[change]], NOON)

    assert _selected(stage, (ALDER, BIRCH), TODAY, TODAY + _DAY).validator != before


def test_validator_is_another_where_days_begin_elsewhere(stage: Stage) -> None:
    """A process with another zone in its settings gives other bytes under the same name, and another validator."""
    before = _selected(stage, offer=replace(JSON_FORMAT, name="other")).validator
    elsewhere = Stage(settings=Settings(time_zone="Asia/Tokyo"))
    elsewhere.publish(_TODAYS, _TOMORROWS)

    after = _selected(elsewhere, offer=replace(JSON_FORMAT, name="other")).validator

    assert before != after


def test_validator_is_another_where_a_service_is_called_otherwise(stage: Stage) -> None:
    """A process with other names in its settings gives other bytes."""
    renamed = Stage(settings=Settings(service_names=((str(ALDER), "Alder"),)))
    renamed.publish(_TODAYS, _TOMORROWS)

    before, after = (_selected(each, cut=_UTC) for each in (stage, renamed))

    assert before.validator != after.validator
    assert _body(after)["guides"][0]["name"] == "Alder"


def test_nearest_part_decides_how_long_all_is_fresh(stage: Stage) -> None:
    """A range with today in it is fresh for as short as today is; its last change is when it was last modified."""
    both = _selected(stage, last=TODAY + _DAY)
    tomorrow = _selected(stage, first=TODAY + _DAY, last=TODAY + _DAY)

    assert both.cache_control.startswith("private, max-age=5,")
    assert tomorrow.cache_control.startswith("private, max-age=30,")
    assert both.last_modified == _TOMORROWS.published_at


def test_what_was_found_is_rendered_as_it_was(stage: Stage) -> None:
    """What changes between finding and rendering changes nothing of what the validator stands for."""
    found = _selected(stage, cut=_UTC)
    before = _body(found)

    stage.publish(schedule(key(), [], seq=9))

    assert _body(found) == before
