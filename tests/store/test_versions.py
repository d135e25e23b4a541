"""Replaced versions read as they were published, whatever interrupted or interleaved with their compaction."""

import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from builders import a_change
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from schedules_pipeline.documents.stored_form import is_frame
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.schedules import Commit, Outcome
from schedules_pipeline.store.exchange import Command
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink
from schedules_pipeline.store.schedules import RedisScheduleStore, StorageForm
from schedules_pipeline.store.versions import RedisVersionStore

_KEY = ScheduleKey.parse("alder/2026-03-28")
_NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
_KEPT = 5
_KEPT_FOR = timedelta(hours=72)
_FORM = StorageForm(versions_kept=_KEPT, versions_kept_for=_KEPT_FOR)
_FRESH = map("versions-{}".format, count())
_LINES = [f'{{"broadcast_pid":"b{number:07}","title":"Episode {number}"}}' for number in range(60)]


def _document(number: int) -> bytes:
    """Most lines equal those of its neighbours, as in published documents."""
    lines = list(_LINES)
    lines[number % len(lines)] = f'{{"title":"Changed {number}"}}'
    return f'{{"seq":{number},"broadcasts":[{",".join(lines)}]}}'.encode()


class _DyingLink(RedisLink):
    """Sends only the first so many of the next commands, as a process that dies; or keeps them back for later."""

    def __init__(self, client: Redis) -> None:
        super().__init__(client)
        self.sends: int | None = None
        self.kept_back: list[Command] = []

    def run(self, commands: Iterable[Command]) -> list[Any]:
        made = list(commands)
        if self.sends is None or not all(command[0] == "EVALSHA" for command in made):
            return super().run(made)
        sent, self.kept_back = made[: self.sends], made[self.sends :]
        return super().run(sent)


class _Schedule:
    """One schedule on Redis, and what was published of it by sequence number, newest first."""

    def __init__(self, client: Redis, form: StorageForm = _FORM) -> None:
        self.client: Any = client
        self.keys = Keys(next(_FRESH))
        self.link = _DyingLink(client)
        self.schedules = RedisScheduleStore(self.link, self.keys, form)
        self.versions = RedisVersionStore(self.link, self.keys, form)
        self.published: dict[int, bytes | None] = {}
        self.replaced: list[int] = []
        self.by_0_2: list[int] = []

    def commit(self, document: bytes, etag: str) -> Outcome:
        state = self.schedules.read([_KEY])[_KEY]
        change = a_change(_KEY, state.seq + 1, etag=etag, published_at=_NOON)
        token = state.committed_token
        commit = Commit(_KEY, token + 1, token, 0, b"", False, frozenset(), etag, document, change)
        (result,) = self.schedules.commit([commit])
        self.schedules.confirm_announced({_KEY: result.seq})
        if result.outcome is Outcome.PUBLISHED:
            if self.published.get(state.seq) is not None:
                self.replaced = [state.seq, *self.replaced][:_KEPT]
            self.published[result.seq] = document if etag else None
        return result.outcome

    def publish(self, number: int) -> None:
        self.commit(_document(number), f"e{number}")

    def remove(self, _: int) -> None:
        self.commit(b"", "")

    def forget(self, _: int) -> None:
        """Garbage collection, which deletes removed schedules alone."""
        token = self.schedules.read([_KEY])[_KEY].committed_token
        if self.schedules.forget({_KEY: token}):
            self.client.delete(*(self.keys.version(_KEY, seq) for seq in range(200)))
            self.published, self.replaced, self.by_0_2 = {}, [], []

    def invalidate(self, number: int) -> None:
        """As after a failover; the published document counts as the version of the higher number from then on."""
        state = self.schedules.read([_KEY])[_KEY]
        seq = state.seq + number % 3
        self.schedules.invalidate({_KEY: seq}, state.committed_token + 1)
        self.published[seq] = self.published.get(state.seq)
        if seq != state.seq:
            self.published.pop(state.seq, None)

    def compact(self, _: int) -> None:
        self.versions.compact([_KEY])

    def die_while_compacting(self, number: int) -> None:
        self.link.sends = number % 4
        self.versions.compact([_KEY])
        self.link.sends = None

    def compact_late(self, number: int) -> None:
        """What was kept back arrives after another commit, and the same call arrives twice."""
        self.link.sends = 0
        self.versions.compact([_KEY])
        self.link.sends = None
        self.publish(number)
        for _ in range(2):
            self.link.run(self.link.kept_back)

    def publish_by_0_2(self, number: int) -> None:
        """A commit of the earlier release renames the document and writes a plain one; then it may compress by zlib."""
        state = self.schedules.read([_KEY])[_KEY]
        if self.published.get(state.seq) is not None:
            moved = self.keys.version(_KEY, state.seq)
            self.client.rename(self.keys.document(_KEY), moved)
            self.client.expire(moved, int(_KEPT_FOR.total_seconds()))
            if number % 2:
                self.client.set(moved, zlib.compress(self.client.get(moved), 1), keepttl=True)
            self.by_0_2.append(state.seq)
        self.client.set(self.keys.document(_KEY), _document(number))
        fields = {"seq": state.seq + 1, "token": state.committed_token + 1, "etag": f"e{number}"}
        self.client.hset(self.keys.state(_KEY), mapping=fields)
        self.published[state.seq + 1] = _document(number)

    def verify(self) -> None:
        current = self.schedules.read([_KEY])[_KEY].seq
        for seq in {current, *self.replaced, *self.by_0_2} & self.published.keys():
            assert self.versions.document(_KEY, seq) == self.published[seq]
        for seq in {*self.replaced, *self.by_0_2} & self.published.keys() - {current}:
            assert self.versions.replaced(_KEY, seq) == self.published[seq]
        assert self.client.llen(self.keys.versions(_KEY)) <= _KEPT
        document = self.schedules.documents([_KEY]).get(_KEY)
        assert document == self.published.get(current)


_STEPS = st.sampled_from(
    [
        *[_Schedule.publish] * 4,
        *(_Schedule.remove, _Schedule.forget, _Schedule.invalidate, _Schedule.publish_by_0_2),
        *(_Schedule.compact, _Schedule.die_while_compacting, _Schedule.compact_late),
    ]
)


@given(st.lists(st.tuples(_STEPS, st.integers(0, 99)), max_size=25))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_kept_version_reads_as_it_was_published(redis_client: Redis, steps: list[Any]) -> None:
    """Through removals, renumbering, garbage collection, deaths during compaction, late and repeated compactions, and
    commits of release 0.2.
    """
    schedule = _Schedule(redis_client)

    for step, number in steps:
        step(schedule, number)
        schedule.verify()


def test_older_versions_are_deltas(redis_client: Redis) -> None:
    """Once compacted, a replaced version takes less than a tenth of a compressed document."""
    schedule = _Schedule(redis_client)
    for number in range(4):
        schedule.publish(number)

    schedule.compact(0)

    elements = schedule.client.lrange(schedule.keys.versions(_KEY), 0, -1)
    assert [element.partition(b"\n")[0].split()[2] for element in elements] == [b"delta"] * 3
    assert max(map(len, elements)) < 140
    schedule.verify()


def test_a_document_that_has_nothing_in_common_stays_whole(redis_client: Redis) -> None:
    """A delta is stored where it pays."""
    schedule, random = _Schedule(redis_client), Random(1)
    for number in range(2):
        schedule.commit(random.randbytes(500), f"e{number}")

    schedule.compact(0)

    (element,) = schedule.client.lrange(schedule.keys.versions(_KEY), 0, -1)
    assert element.partition(b"\n")[0].endswith(b" whole")
    schedule.verify()


def test_versions_are_dropped_after_their_time(redis_client: Redis) -> None:
    """A commit drops what was replaced too long ago, and the list expires with its newest element."""
    schedule = _Schedule(redis_client)
    for number in range(3):
        schedule.publish(number)
    name = schedule.keys.versions(_KEY)
    element = schedule.client.lindex(name, -1).split(b" ", 2)
    element[1] = str(int(element[1]) - int(_KEPT_FOR.total_seconds()) - 60).encode()
    schedule.client.lset(name, -1, b" ".join(element))

    schedule.publish(3)

    read = [schedule.versions.document(_KEY, seq) for seq in (1, 2, 3)]
    assert read == [None, _document(1), _document(2)]
    assert 0 < schedule.client.ttl(name) <= _KEPT_FOR.total_seconds()


def test_rows_are_listed_as_before_once_compacted(redis_client: Redis) -> None:
    """The rows of many versions are one element; the newest are listed, however often they were compacted."""
    schedule = _Schedule(redis_client)
    for number in range(70):
        schedule.publish(number)
        if number % 7 == 0:
            schedule.compact(0)

    before = schedule.versions.versions(_KEY)
    schedule.compact(0)

    assert schedule.versions.versions(_KEY) == before
    assert [change.seq for change in before] == list(range(70, 20, -1))
    assert schedule.client.llen(schedule.keys.history(_KEY)) == 1


@pytest.mark.parametrize("is_compressed", [True, False])
def test_stored_form_follows_the_setting(redis_client: Redis, is_compressed: bool) -> None:
    """Documents and accepted sources are compressed, or plain for processes of release 0.2, and read alike."""
    schedule = _Schedule(redis_client, StorageForm(is_compressed, _KEPT, _KEPT_FOR))
    change = a_change(_KEY, 1)

    schedule.schedules.commit(
        [Commit(_KEY, 1, 0, 0, b"source", True, frozenset(), "e1", _document(1), change)]
    )

    stored = schedule.client.get(schedule.keys.document(_KEY))
    accepted = schedule.client.hget(schedule.keys.state(_KEY), "accepted")
    assert [is_frame(stored), is_frame(accepted)] == [is_compressed] * 2
    assert schedule.schedules.read([_KEY])[_KEY].accepted == b"source"
    assert schedule.schedules.documents([_KEY]) == {_KEY: _document(1)}
    assert is_frame(schedule.schedules.frames([_KEY])[_KEY])


def test_a_library_that_compresses_differently_publishes_nothing(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal content is no version, and its stored bytes stay."""
    schedule = _Schedule(redis_client)
    schedule.publish(1)
    before = schedule.client.get(schedule.keys.document(_KEY))
    monkeypatch.setattr("schedules_pipeline.store.schedules.compress", lambda plain: plain + b"differently")

    outcome = schedule.commit(_document(1), "e1")

    assert outcome is Outcome.UNCHANGED
    assert schedule.client.get(schedule.keys.document(_KEY)) == before


def test_a_compaction_that_a_lost_commit_prompted_changes_nothing(redis_client: Redis) -> None:
    """Redis went back in time, so the delta's base was never published; the version stays whole."""
    schedule = _Schedule(redis_client)
    schedule.publish(1)
    names = (schedule.keys.state(_KEY), schedule.keys.document(_KEY), schedule.keys.history(_KEY))
    before = {name: schedule.client.dump(name) for name in names}
    schedule.publish(2)
    schedule.link.sends = 0
    schedule.versions.compact([_KEY])
    schedule.client.delete(schedule.keys.versions(_KEY))
    for name, value in before.items():
        schedule.client.restore(name, 0, value, replace=True)
    schedule.link.sends = None
    schedule.publish(3)

    schedule.link.run(schedule.link.kept_back)

    assert [schedule.versions.document(_KEY, seq) for seq in (1, 2)] == [_document(1), _document(3)]
    assert [change.etag for change in schedule.versions.versions(_KEY)] == ["e3", "e1"]


def test_nothing_of_a_forgotten_schedule_stays(redis_client: Redis) -> None:
    """Its replaced versions go with it, and numbers start again."""
    schedule = _Schedule(redis_client)
    for number in range(3):
        schedule.publish(number)
    schedule.remove(0)

    schedule.forget(0)

    assert schedule.client.keys(f"{schedule.keys.keyspace}:*") == []
