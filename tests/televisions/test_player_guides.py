"""What is remembered between the answers to players."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from delivery.asking import Stage
from delivery.guides import NOON, TODAY, key, schedule, showing

from schedules_pipeline.delivery import player_guides
from schedules_pipeline.delivery.player_guides import PlayerDays, PlayerGuides
from schedules_pipeline.delivery.selections import represent_days
from schedules_pipeline.domain.identifiers import Sid


def test_an_answer_that_is_fixed_forgets_nothing_of_one_in_the_making(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The days of each service are found once, also if an answer for other days is fixed meanwhile."""
    stage, found = Stage(), list[Sid]()
    sids = tuple(Sid(f"alder_{number}") for number in range(5))
    stage.publish(*(schedule(key(sid), [showing(1, NOON)]) for sid in sids))

    def find(delivery: Any, sid: Sid, *asked: Any) -> Any:
        found.append(sid)
        return represent_days(delivery, sid, *asked)

    monkeypatch.setattr(player_guides, "represent_days", find)

    async def ask() -> None:
        guides, usual = PlayerGuides(), PlayerDays.around(TODAY)
        large = asyncio.ensure_future(guides.fix((sids, usual, False), stage.delivery))
        await asyncio.sleep(0)
        assert len(found) == 1
        other = PlayerDays(TODAY, TODAY + timedelta(days=1))
        await guides.fix((sids[:1], other, False), stage.delivery)
        assert not large.done()
        await large

    asyncio.run(ask())

    assert sorted(found) == sorted((*sids, sids[0]))
