"""Validators of what is remembered: two answers, or pieces of answers, whose bytes differ never share one."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import product
from random import Random
from typing import Any, cast

import pytest
from delivery.asking import Stage, held
from delivery.guides import ALDER, BIRCH, NOON, TODAY, key, schedule, showing

from schedules_pipeline.delivery.representations import Representation, Tables, Whole
from schedules_pipeline.delivery.selections import Selection, join_days, represent, represent_days
from schedules_pipeline.documents.guide_formats import GuideFormat
from schedules_pipeline.domain.day_cut import DayCut, Straddling
from schedules_pipeline.domain.identifiers import Pid

_DAY = timedelta(days=1)
_CUTS = ("broadcast", "utc", "06:00", "23:00")
_ALL_DAYS = (TODAY - 3 * _DAY, TODAY + 4 * _DAY)


def _publish_some(stage: Stage, random: Random, seq: int) -> None:
    """Or remove; broadcasts also lie outside their day, and are in two schedules."""
    of = key(random.choice((ALDER, BIRCH)), random.randint(-1, 1))
    begins = [NOON + timedelta(hours=random.randint(-40, 40)) for _ in range(random.randint(0, 4))]
    shown = [
        showing(random.randint(1, 5) * 10 + place, start, 90, episode_pid=Pid(f"p{random.randint(1, 3):07}"))
        for place, start in enumerate(begins)
    ]
    if random.random() < 0.2:
        stage.delivery.mirror.advance(f"{seq}-1", [held(schedule(of, [], seq), removed=True)], NOON)
    else:
        stage.publish(schedule(of, shown, seq))


def _selections() -> Iterator[Selection]:
    ranges = [(TODAY, TODAY), (TODAY, TODAY + _DAY), _ALL_DAYS]
    for sids, (first, last), cut, straddling in product(
        ((ALDER,), (ALDER, BIRCH)), ranges, _CUTS, Straddling
    ):
        yield Selection(sids, first, last, DayCut.parse(cut), straddling, may_be_empty=True)


def _pieces(stage: Stage, found: Representation) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """All that is remembered of an answer under a validator of its own, the answer as a whole included."""
    source = cast("Any", found.source)
    if isinstance(source, Tables):
        entries = [each for one in source.contributions for each in (one.ids, one.entries(frozenset()))]
        elsewhere = frozenset({"crid://schedules.example/p0000001"})
        entries += [one.entries(elsewhere) for one in source.contributions]
        fragments = [source.start, *entries, source.between, *source.schedules, source.end]
    else:
        groups = source.groups if isinstance(source, Whole) else source
        fragments = [fragment for group in groups for fragment in group]
        yield found.validator, Whole(tuple((fragment,) for fragment in fragments))
    yield from ((fragment.validator, fragment.source) for fragment in fragments)


def _asked(stage: Stage, offer: GuideFormat) -> Iterator[Representation]:
    for selection in _selections():
        if (found := represent(stage.delivery, selection, offer, NOON)) is not None:
            yield found
    if offer.name == "xmltv":
        for first, last in ((TODAY, TODAY), (TODAY - _DAY, TODAY + _DAY)):
            yield _player_file(stage, first, last)


def _player_file(stage: Stage, first: date, last: date) -> Representation:
    offer = _offer(stage, "xmltv")
    days = [represent_days(stage.delivery, sid, first, last, offer) for sid in (ALDER, BIRCH)]
    return join_days(stage.delivery, days, offer)


def _offer(stage: Stage, name: str) -> GuideFormat:
    return next(offer for offer in stage.delivery.formats if offer.name == name)


@pytest.mark.parametrize("seed", range(3))
def test_bytes_that_differ_never_share_a_validator(seed: int) -> None:
    """Whatever is asked for, in whichever format, after whatever was published and removed."""
    stage, random, remembered = Stage(), Random(seed), dict[str, bytes]()
    for seq in range(1, 9):
        _publish_some(stage, random, seq)
        for offer in stage.delivery.formats:
            for found in _asked(stage, offer):
                for validator, render in _pieces(stage, found):
                    made = render()
                    assert remembered.setdefault(validator, made) == made, offer.name


@pytest.mark.parametrize("is_player_first", [True, False])
def test_a_players_day_and_a_partners_own_day_are_others(*, is_player_first: bool) -> None:
    """In the same window and of the same schedules they name other versions, whichever is asked for first."""
    stage = Stage()
    for sid, day in product((ALDER, BIRCH), (-1, 0, 1)):
        stage.publish(schedule(key(sid, day), [showing(9 + day, NOON + day * _DAY)]))
    token = stage.client.headers["Authorization"].removeprefix("Bearer ")
    player = f"/players/{token}/guide.xml?from={TODAY}&to={TODAY}"
    own = f"/v1/schedules.xmltv?date={TODAY}&day=06:00"

    for path in (player, own) if is_player_first else (own, player):
        named = stage.client.get(path).content.count(b"<?schedule ")
        assert named == (2 if path == player else 6), path


@pytest.mark.parametrize("format_name", ["xmltv", "tva"])
@pytest.mark.parametrize("cuts", [("broadcast", "06:00"), ("06:00", "broadcast")])
def test_days_as_listed_and_days_that_are_cut_are_others(format_name: str, cuts: tuple[str, str]) -> None:
    """A broadcast outside the days of its schedule is in those as listed alone, with another tag, also where both have
    all that is held of the service.
    """
    stage, far = Stage(), NOON + 9 * _DAY
    stage.publish(schedule(key(), [showing(1, NOON), showing(2, far)]))
    first, last = _ALL_DAYS
    asked = f"/v1/schedules/{ALDER}.{format_name}?from={first}&to={last}&day="

    answers = {cut: stage.client.get(asked + cut) for cut in cuts}

    assert {cut: answer.content.count(b"w0000002") > 0 for cut, answer in answers.items()} == {
        "broadcast": True,
        "06:00": False,
    }
    assert len({answer.headers["etag"] for answer in answers.values()}) == 2
