"""Faults injected into the recorded month: each is held, no edit of the month is, and blankings are published.

The month is not part of this project: name its file in ``SCHEDULES_RECORDED_HISTORY``.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis import Redis
from replay.injected import (
    CALENDAR,
    Fault,
    blanked,
    minute_long,
    shrunk_to,
    truncated,
    unknown_episodes,
    wiped,
)

from demo.replay.oracle.airtime import clip, length, union
from demo.replay.oracle.days import Key
from demo.replay.oracle.guide import Edit, read_edit
from demo.replay.oracle.instants import seconds_of
from demo.replay.replaying import Replay
from demo.servers import RedisServer
from schedules_pipeline.history.recorded import read_lines

_FAULT_AFTER, _REPAIR_AFTER = timedelta(minutes=70), timedelta(minutes=78)
_LEAST_TO_COME = 6 * 3600
_SHARE_WITH_FAULT = 0.4

Document = dict[str, Any]


@dataclass
class FaultyHistory:
    """A history with faults, each repaired some minutes later. ``faulty``: the schedules, with the times of faults."""

    path: Path
    rng: Random
    faulty: set[tuple[Key, int]] = field(default_factory=set)
    blanked: int = 0
    _current: dict[Key, Document] = field(default_factory=dict)

    def lines(self) -> Iterator[bytes]:
        """After some versions of the guide, more than an hour before the next, a fault and its repair."""
        read = ((read_edit(line), line) for _, line in read_lines(self.path))
        versions = [list(group) for _, group in groupby(read, key=lambda pair: pair[0].at)]
        for version, following in zip(versions, [*versions[1:], None], strict=True):
            for edit, line in version:
                self._remember(edit)
                yield line
            at = version[0][0].at
            has_time = following is not None and following[0][0].at > at + _REPAIR_AFTER
            if has_time and self.rng.random() < _SHARE_WITH_FAULT:
                yield from self._inject(at + _FAULT_AFTER, at + _REPAIR_AFTER)

    def _remember(self, edit: Edit) -> None:
        if not isinstance(edit.name, str) and edit.document is not None:
            self._current[edit.name] = edit.document

    def _inject(self, at: datetime, repaired_at: datetime) -> Iterator[bytes]:
        faulty = dict(self._faulty_documents(at))
        for key, document in faulty.items():
            yield _line(key, at, document)
        for key in faulty:
            yield _line(key, repaired_at, self._current[key])

    def _faulty_documents(self, at: datetime) -> Iterator[tuple[Key, Document | None]]:
        rng, candidates = self.rng, [key for key in sorted(self._current) if self._is_worth(key, at)]
        key = rng.choice(candidates)
        kind = rng.randrange(7)
        if kind == 0:
            self.blanked += 1
            yield key, blanked(self._current[key], range(rng.randrange(1, 90)))
        elif kind == 1:
            of_service = [other for other in candidates if other[0] == key[0]]
            is_removed = rng.random() < 0.5
            for other in of_service:
                self.faulty.add((other, int(at.timestamp())))
                yield other, None if is_removed else unknown_episodes(self._current[other])
        else:
            self.faulty.add((key, int(at.timestamp())))
            yield key, self._fault().make(self._current[key], at)

    def _fault(self) -> Fault:
        rng = self.rng
        faults = (
            wiped(),
            shrunk_to(rng.randrange(5, 66)),
            minute_long(20),
            truncated(rng.uniform(0.02, 0.5)),
        )
        return rng.choice(faults)

    def _is_worth(self, key: Key, at: datetime) -> bool:
        return self._to_come(key, at) >= _LEAST_TO_COME

    def _to_come(self, key: Key, at: datetime) -> int:
        start, end = CALENDAR.span(key)
        slots = self._current[key]["broadcasts"]
        airtime = union((seconds_of(slot["start"]), seconds_of(slot["end"])) for slot in slots)
        return length(clip(airtime, max(start, int(at.timestamp())), end))


def _line(key: Key, at: datetime, document: Document | None) -> bytes:
    fields = {"at": at.isoformat(), "kind": "schedule", "sid": key[0], "date": key[1]}
    if document is None:
        return json.dumps(fields | {"action": "REMOVE"}).encode()
    return json.dumps(fields | {"action": "PUT", "document": document}).encode()


@pytest.fixture
def recorded_month() -> Path:
    path = os.environ.get("SCHEDULES_RECORDED_HISTORY")
    if not path:
        pytest.skip("set SCHEDULES_RECORDED_HISTORY to the file of a recorded history")
    return Path(path)


def test_exactly_the_faults_are_held(
    recorded_month: Path, redis_server: RedisServer, redis_client: Redis
) -> None:
    """Every fault is held until it is repaired, and nothing else in the month."""
    history = FaultyHistory(recorded_month, Random(11))

    replayed = Replay(redis_server.url, "replay").run(history.lines())

    account = replayed.account
    held = {(hold.key, hold.since) for hold in account.holds.all}
    faulty_at = {at for _, at in history.faulty}
    assert len(faulty_at) > 30
    assert history.blanked > 3
    assert held == history.faulty
    assert [loss for loss in account.losses.all if loss.at in faulty_at] == []
    assert account.differences == []
    assert {hold.until - hold.since for hold in account.holds.all if hold.until} == {
        (_REPAIR_AFTER - _FAULT_AFTER).seconds
    }
