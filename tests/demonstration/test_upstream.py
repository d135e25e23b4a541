"""The upstream systems write each document before they announce it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Self, cast

import orjson
import pytest

from demo.sample import Document, Sample
from demo.traffic import Change
from demo.upstream import Upstream

_NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
_DAY = date(2026, 11, 2)
_TOPIC = "arn:aws:sns:eu-west-2:000000000000:catalogue-events"


@dataclass
class _World:
    """Stands for all three clients; it keeps the written documents and the order of the calls."""

    values: dict[str, bytes] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    messages: list[Document] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    rejected: frozenset[str] = frozenset()

    def set(self, name: str, value: bytes) -> None:
        self._enter("set", name)
        self.values[name] = value

    def delete(self, name: str) -> None:
        self._enter("delete", name)
        self.values.pop(name, None)

    def pipeline(self, *, transaction: bool) -> "_Pipeline":
        assert not transaction
        return _Pipeline(self)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803 - boto3's
        assert ContentType == "application/json"
        self._enter("put", f"{Bucket}/{Key}")
        self.objects[f"{Bucket}/{Key}"] = Body

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803 - boto3's
        self._enter("delete", f"{Bucket}/{Key}")
        self.objects.pop(f"{Bucket}/{Key}", None)

    def publish(self, *, TopicArn: str, Message: str) -> None:  # noqa: N803 - boto3's
        self._enter("publish", TopicArn)
        self.messages.append(orjson.loads(Message))

    def _enter(self, action: str, name: str) -> None:
        if name in self.rejected:
            raise ConnectionError(name)
        self.journal.append(f"{action} {name}")


class _Pipeline:
    """Writes nothing until it is executed."""

    def __init__(self, world: _World) -> None:
        self._world = world
        self._waiting: list[tuple[str, bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.clear()

    def set(self, name: str, value: bytes) -> None:
        self._waiting.append((name, value))

    def execute(self) -> None:
        self._world.journal.append(f"execute {len(self._waiting)}")
        self._world.values.update(self._waiting)


def _upstream(world: _World, clock: Callable[[], datetime] = lambda: _NOW) -> Upstream:
    clients = cast("Any", world)
    return Upstream(s3=clients, sns=clients, redis=clients, topic_arn=_TOPIC, clock=clock)


def _item(pid: str) -> Document:
    return {"pid": pid, "type": "brand", "title": "Quiet Viaduct"}


def _schedule(sid: str) -> Document:
    return {"sid": sid, "date": _DAY.isoformat(), "broadcasts": []}


def test_catalogue_document_is_written_before_it_is_announced() -> None:
    """A catalogue document can be read when its notification arrives."""
    world = _World()

    _upstream(world).put_catalogue(_item("b00000001"))

    assert world.journal == ["set catalogue:b00000001", f"publish {_TOPIC}"]
    assert orjson.loads(world.values["catalogue:b00000001"]) == _item("b00000001")


def test_catalogue_document_that_cannot_be_written_is_not_announced() -> None:
    """If the write fails, the error is passed on and no notification is sent."""
    world = _World(rejected=frozenset({"catalogue:b00000001"}))

    with pytest.raises(ConnectionError):
        _upstream(world).put_catalogue(_item("b00000001"))

    assert world.messages == []


def test_catalogue_notifications_are_numbered() -> None:
    """Each notification names its item, the moment, and the next number."""
    world = _World()
    upstream = _upstream(world)

    upstream.put_catalogue(_item("b00000001"))
    upstream.put_catalogue(_item("b00000002"))

    common = {"action": "UPDATE", "type": "brand", "at": "2026-11-02T09:00:00Z"}
    assert world.messages == [
        common | {"pid": "b00000001", "seq": 1},
        common | {"pid": "b00000002", "seq": 2},
    ]


def test_schedule_is_put_under_its_service_and_date() -> None:
    """A schedule document is an object of the source bucket; the bucket alone announces it."""
    world = _World()

    _upstream(world).put_schedule("alder_two", _DAY, _schedule("alder_two"))

    assert world.journal == ["put schedule-source/schedules/alder_two/2026-11-02.json"]
    assert [orjson.loads(body) for body in world.objects.values()] == [_schedule("alder_two")]


def test_schedule_is_removed() -> None:
    """A removed schedule leaves no object."""
    world = _World()
    upstream = _upstream(world)
    upstream.put_schedule("alder_two", _DAY, _schedule("alder_two"))

    upstream.remove_schedule("alder_two", _DAY)

    assert world.objects == {}


def test_change_is_applied_catalogue_first() -> None:
    """A change writes, deletes and announces its items, then puts and removes its schedules."""
    world = _World()
    change = Change(
        "retitle",
        catalogue={"b00000001": _item("b00000001")},
        schedules={("alder_two", _DAY): _schedule("alder_two"), ("alder_three", _DAY): None},
        deleted={"b00000002": "series"},
    )

    _upstream(world).apply(change)

    assert world.journal == [
        "set catalogue:b00000001",
        f"publish {_TOPIC}",
        "delete catalogue:b00000002",
        f"publish {_TOPIC}",
        "put schedule-source/schedules/alder_two/2026-11-02.json",
        "delete schedule-source/schedules/alder_three/2026-11-02.json",
    ]


def test_load_writes_everything_and_announces_nothing() -> None:
    """A loaded sample is there in full, the catalogue before the first schedule, without a notification."""
    world = _World()
    pids = [f"b{number:08}" for number in range(1_200)]
    sids = [f"alder_{number}" for number in range(40)]
    sample = Sample({pid: _item(pid) for pid in pids}, {(sid, _DAY): _schedule(sid) for sid in sids})

    _upstream(world).load(sample)

    assert world.values.keys() == {f"catalogue:{pid}" for pid in pids}
    assert world.objects.keys() == {f"schedule-source/schedules/{sid}/2026-11-02.json" for sid in sids}
    assert world.journal[:3] == ["execute 500", "execute 500", "execute 200"]
    assert world.messages == []


def test_load_reports_its_progress() -> None:
    """Progress goes up to the number of all documents, in steps of a pipeline or of one schedule."""
    pids = [f"b{number:08}" for number in range(600)]
    sids = [f"alder_{number}" for number in range(3)]
    sample = Sample({pid: _item(pid) for pid in pids}, {(sid, _DAY): _schedule(sid) for sid in sids})
    progress: list[tuple[int, int]] = []

    _upstream(_World()).load(sample, lambda done, total: progress.append((done, total)))

    assert progress == [(500, 603), (600, 603), (601, 603), (602, 603), (603, 603)]


def test_load_passes_on_the_error_of_a_thread() -> None:
    """If one schedule cannot be put, ``load`` raises the error."""
    rejected = "schedule-source/schedules/alder_1/2026-11-02.json"
    sample = Sample({}, {(f"alder_{number}", _DAY): _schedule(f"alder_{number}") for number in range(3)})

    with pytest.raises(ConnectionError, match=rejected):
        _upstream(_World(rejected=frozenset({rejected}))).load(sample)
