"""TV-Anytime of several services, whose pieces depend on each other."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from delivery.asking import Stage
from delivery.guides import NOON, TODAY, key, schedule, showing
from lxml import etree

from schedules_pipeline.delivery.packing import Piece, deflate
from schedules_pipeline.delivery.parts import guide_of, part_of
from schedules_pipeline.delivery.routes import answering
from schedules_pipeline.domain.day_cut import DayCut, NamedCut, Straddling
from schedules_pipeline.domain.identifiers import Pid, Sid

_SIDS = [Sid(f"alder_{number}") for number in range(4)]
_PATH = f"/v1/schedules.tva?date={TODAY}"
_NAMES = {"": "urn:tva:metadata:2024"}


def _publish(stage: Stage, sid: Sid, episodes: list[int], seq: int) -> None:
    """A broadcast of each of these episodes, whose title tells the version."""
    shown = [
        showing(
            10 * _SIDS.index(sid) + place,
            NOON + timedelta(hours=place),
            episode_pid=Pid(f"p{number:07}"),
            title=f"{number} in {seq}",
        )
        for place, number in enumerate(episodes)
    ]
    stage.publish(schedule(key(sid), shown, seq))


def _whole(stage: Stage) -> bytes:
    """As rendered at once."""
    offer = next(each for each in stage.delivery.formats if each.name == "tva")
    cut = DayCut(NamedCut.BROADCAST)
    windows = [cut.guide_window(stage.delivery.calendar, sid, TODAY) for sid in _SIDS]
    return offer.render([guide_of(Straddling.STARTS, part_of(stage.delivery, window)) for window in windows])


def test_pieces_are_the_whole_document_after_any_changes() -> None:
    """Each programme once, as the service has it that was published last, whatever is remembered of before."""
    stage, random = Stage(), Random(7)
    for sid in _SIDS:
        _publish(stage, sid, [1, 2], 1)

    for seq in range(2, 30):
        changed = random.sample(_SIDS, random.choice([1, 1, 2]))
        for sid in changed:
            _publish(stage, sid, random.sample(range(6), random.randint(0, 4)), seq)
        found = stage.client.get(_PATH)

        assert found.content == _whole(stage)
        ids = [
            one.get("programId")
            for one in etree.fromstring(found.content).iterfind(".//ProgramInformation", _NAMES)
        ]
        assert len(ids) == len(set(ids))


def test_a_change_renders_those_who_share_its_programmes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service itself, and the programmes of the one that had them in the table until then."""
    stage, rendered = Stage(), list[bytes]()
    for sid, episodes in zip(_SIDS, ([1, 2], [2, 3], [4], [5]), strict=True):
        _publish(stage, sid, episodes, 1)
    stage.client.get(_PATH)

    def record(plain: bytes) -> Piece:
        rendered.append(plain)
        return deflate(plain)

    monkeypatch.setattr(answering, "deflate", record)
    _publish(stage, _SIDS[1], [2, 3], 2)
    answer = stage.client.get(_PATH)

    ids, events, own, of_the_other = rendered
    assert (
        ids.count(b"crid://") == events.count(b"<ScheduleEvent>") == own.count(b"<ProgramInformation ") == 2
    )
    assert (b"p0000001" in of_the_other, b"p0000002" in of_the_other) == (True, False)
    assert answer.headers["schedules-cost"] == "2"


def test_all_of_the_work_is_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what is done before the answer begins: a token for each four schedules."""
    stage = Stage()
    stage.publish(*(schedule(key(Sid(f"birch_{number}")), [showing(number, NOON)]) for number in range(16)))
    charged: list[Any] = []
    monkeypatch.setattr(
        stage.delivery.admission.__class__, "charge", lambda _, __, tokens: charged.append(tokens)
    )

    answer = stage.client.get(_PATH)

    assert sum(charged) == 4
    assert answer.headers["schedules-cost"] == "5"
