"""A history through the real pipeline on a real Redis, judged by the oracle.

The recorded month is not part of this project: name its file in ``SCHEDULES_RECORDED_HISTORY``.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from redis import Redis

from demo.replay.__main__ import main
from demo.replay.oracle.holds import Verdict
from demo.replay.replaying import Replay, Replayed
from demo.replay.report import report
from demo.sample import Sample, make_sample
from demo.servers import RedisServer
from demo.traffic import Traffic
from schedules_pipeline.documents.broadcasts import render_joined
from schedules_pipeline.domain import programme
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    HistoryEvent,
    SchedulePut,
    ScheduleRemoved,
    read_lines,
    write_history,
)

_FIRST_DAY = date(2026, 10, 24)
_SERVICES = ("alder_two_north", "alder_news", "alder_radio_one")


def _invented_history(changes: int = 120) -> Iterator[HistoryEvent]:
    """Two days of three services, one of them with 25 hours; changes every five minutes; removals and deletions."""
    sample = make_sample(_FIRST_DAY, days=2, clock_change_days=False)
    schedules = {key: document for key, document in sample.schedules.items() if key[0] in _SERVICES}
    now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    for pid, document in sample.catalogue.items():
        yield CatalogueUpdated(now, document, document["type"], pid)
    for (sid, day), document in schedules.items():
        yield SchedulePut(now, document, sid, day)
    traffic = Traffic(Sample(sample.catalogue, schedules), Random(7))
    for number in range(1, changes):
        at = now + number * timedelta(minutes=5)
        change = traffic.next_change(at)
        for pid, document in change.catalogue.items():
            yield CatalogueUpdated(at, document, document["type"], pid)
        for (sid, day), new in change.schedules.items():
            if new is not None:
                yield SchedulePut(at, new, sid, day)
        if number % 20 == 0:
            yield CatalogueDeleted(at, document["type"], pid)
    yield ScheduleRemoved(at, "alder_news", _FIRST_DAY)


def _replay(server: RedisServer, path: Path) -> Replayed:
    return Replay(server.url, "replay").run(line for _, line in read_lines(path))


def _written(directory: Path, events: Sequence[HistoryEvent]) -> Path:
    write_history(directory / "history.jsonl.gz", events)
    return directory / "history.jsonl.gz"


def test_the_recorded_month_has_no_difference(redis_server: RedisServer, redis_client: Redis) -> None:
    """Every document is the oracle's, every version is a true change, and every rebuild was needed."""
    path = os.environ.get("SCHEDULES_RECORDED_HISTORY")
    if not path:
        pytest.skip("set SCHEDULES_RECORDED_HISTORY to the file of a recorded history")

    replayed = _replay(redis_server, Path(path))

    counts = replayed.account.counts
    assert replayed.account.differences == []
    assert counts.not_judged == 0
    assert replayed.versions == counts.changed
    assert replayed.rebuilt == counts.affected
    assert [hold for hold in replayed.account.holds.all if hold.verdict is Verdict.WRONG] == []


def test_an_invented_history_has_no_difference(
    redis_server: RedisServer, redis_client: Redis, tmp_path: Path
) -> None:
    """Also with removed schedules, deleted items, and a day of 25 hours."""
    replayed = _replay(redis_server, _written(tmp_path, list(_invented_history())))

    counts = replayed.account.counts
    assert replayed.account.differences == []
    assert counts.at_the_end == 6
    assert replayed.versions == counts.shown == counts.changed - counts.withheld
    assert replayed.rebuilt == counts.affected


def test_the_oracle_finds_a_wrong_title(
    redis_server: RedisServer, redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline that joins titles in the wrong order differs in its documents."""
    monkeypatch.setattr(programme, "_titles", _reversed_titles)
    path = _written(tmp_path, list(_invented_history(changes=2)))

    render_joined.cache_clear()
    try:
        replayed = _replay(redis_server, path)
    finally:
        render_joined.cache_clear()

    assert replayed.differing
    assert any("subtitle of" in line or "title of" in line for line in report(replayed))


def _reversed_titles(items: Sequence[CatalogueItem]) -> tuple[str, str]:
    titles = [item.title for item in items if item.title]
    return (titles[0], ": ".join(titles[1:])) if titles else ("", "")


def test_the_command_prints_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It starts a Redis server of its own, and ends with 0 if no document differs."""
    path = _written(tmp_path, list(_invented_history(changes=20)))

    status = main([str(path)])

    printed = capsys.readouterr().out
    assert status == 0
    assert "documents    6 compared at the end, 0 differ" in printed
    assert "seams on air, reported by no check" in printed
