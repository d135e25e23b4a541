"""Importing a history: its writes, announcements and times, and which sources are on this machine."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import orjson
import pytest
from fakes import Conditions, FakeClock, FakeQueue
from pydantic import SecretStr

from schedules_pipeline.documents.notification import (
    CatalogueAction,
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.history.importing import Destination, find_addresses_elsewhere, import_history
from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    HistoryEvent,
    SchedulePut,
    ScheduleRemoved,
)
from schedules_pipeline.settings import Settings

_AT = datetime(2026, 3, 28, 12, tzinfo=UTC)
_ITEM = {"pid": "b0000001", "type": "brand", "title": "Salt and Slate"}
_SCHEDULE = {"sid": "alder", "date": "2026-03-28", "broadcasts": []}
_EVENTS: list[HistoryEvent] = [
    CatalogueUpdated(_AT, _ITEM, "brand", "b0000001"),
    SchedulePut(_AT + timedelta(seconds=30), _SCHEDULE, "alder", date(2026, 3, 28)),
]
_REMOVALS: list[HistoryEvent] = [
    ScheduleRemoved(_AT, "alder", date(2026, 3, 28)),
    CatalogueDeleted(_AT, "brand", "b0000001"),
]


class Sources:
    """Stands for both clients, and records writes and announcements in order."""

    def __init__(self) -> None:
        self.clock = FakeClock(_AT)
        self.log: list[tuple[str, Any]] = []
        self.slept: list[float] = []

    def set(self, name: str, content: bytes) -> None:
        self.log.append((name, orjson.loads(content)))

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803 - boto3's names
        self.log.append((f"{Bucket}/{Key}", orjson.loads(Body)))

    def delete(self, name: str) -> None:
        self.log.append((f"delete {name}", None))

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803 - boto3's names
        self.log.append((f"delete {Bucket}/{Key}", None))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    def run(self, speed: float | None = None, events: Sequence[HistoryEvent] = _EVENTS) -> None:
        queues = [_NotingQueue(name, self) for name in ("schedule queue", "catalogue queue")]
        destination = Destination(cast(Any, self), "a-bucket", cast(Any, self), "items:", *queues)
        import_history(events, destination, self.clock, self.sleep, speed)


class _NotingQueue(FakeQueue):
    def __init__(self, name: str, sources: Sources) -> None:
        super().__init__(Conditions(), sources.clock, cast(Any, None), name)
        self._log = sources.log
        self._label = name

    def send(self, messages: Any) -> None:
        self._log.extend((self._label, message.body) for message in messages)


def test_every_document_is_written_before_it_is_announced() -> None:
    """Items and schedules are written to the configured places, and each is announced after it was written."""
    sources = Sources()

    sources.run()

    names = [name for name, _ in sources.log]
    assert names == [
        "items:b0000001",
        "catalogue queue",
        "a-bucket/schedules/alder/2026-03-28.json",
        "schedule queue",
    ]
    assert (sources.log[0][1], sources.log[2][1]) == (_ITEM, _SCHEDULE)
    assert parse_catalogue_notification(sources.log[1][1]).pid == "b0000001"
    assert [str(key) for key in parse_schedule_notification(sources.log[3][1]).keys] == ["alder/2026-03-28"]


def test_every_removal_is_announced_after_it() -> None:
    """The object or the key is deleted, then the notification says so."""
    sources = Sources()

    sources.run(events=_REMOVALS)

    names = [name for name, _ in sources.log]
    removal = parse_schedule_notification(sources.log[1][1])
    deletion = parse_catalogue_notification(sources.log[3][1])
    assert names == [
        "delete a-bucket/schedules/alder/2026-03-28.json",
        "schedule queue",
        "delete items:b0000001",
        "catalogue queue",
    ]
    assert removal.removal
    assert [str(key) for key in removal.keys] == ["alder/2026-03-28"]
    assert (deletion.action, deletion.pid) == (CatalogueAction.DELETE, "b0000001")


@pytest.mark.parametrize(("speed", "slept"), [(None, 0.0), (1.0, 30.0), (60.0, 0.5)])
def test_the_pace_is_the_recorded_one_at_a_speed(speed: float | None, slept: float) -> None:
    """With a speed, events come at that multiple of the recorded pace, and otherwise at once."""
    sources = Sources()

    sources.run(speed)

    assert sum(sources.slept) == slept


@pytest.mark.parametrize(
    ("redis", "aws", "elsewhere"),
    [
        ("redis://127.0.0.1:6379/0", "http://127.0.0.1:4566", []),
        ("redis://localhost:6379", "http://[::1]:4566", []),
        ("unix:///run/redis.sock", "http://localhost:4566", []),
        ("redis://127.8.9.1", "http://localhost", []),
        ("redis://10.0.0.7:6379", "http://localhost", ["SCHEDULES_REDIS_URL (10.0.0.7)"]),
        (
            "redis://localhost.example.org",
            "http://localhost",
            ["SCHEDULES_REDIS_URL (localhost.example.org)"],
        ),
        ("redis://127.0.0.1", None, ["SCHEDULES_AWS_ENDPOINT_URL (AWS itself)"]),
        ("redis://127.0.0.1", "https://sqs.example.org", ["SCHEDULES_AWS_ENDPOINT_URL (sqs.example.org)"]),
        ("redis://127.0.0.1", "http://127.0.0.1@example.org", ["SCHEDULES_AWS_ENDPOINT_URL (example.org)"]),
    ],
)
def test_sources_on_this_machine_are_told_from_others(
    redis: str, aws: str | None, elsewhere: list[str]
) -> None:
    """Only loopback addresses and sockets are this machine; others are named by setting and host."""
    settings = Settings(redis_url=SecretStr(redis), aws_endpoint_url=aws)

    assert find_addresses_elsewhere(settings) == elsewhere


def test_the_address_of_the_catalogue_keyspace_counts() -> None:
    """If the catalogue keyspace is elsewhere, its setting is named, because it would be written."""
    local, remote = SecretStr("redis://127.0.0.1"), SecretStr("redis://redis.example.org")

    ours_elsewhere = Settings(
        redis_url=remote, catalogue_redis_url=local, aws_endpoint_url="http://127.0.0.1"
    )
    theirs_elsewhere = Settings(
        redis_url=local, catalogue_redis_url=remote, aws_endpoint_url="http://127.0.0.1"
    )

    assert find_addresses_elsewhere(ours_elsewhere) == []
    assert find_addresses_elsewhere(theirs_elsewhere) == ["SCHEDULES_CATALOGUE_REDIS_URL (redis.example.org)"]
