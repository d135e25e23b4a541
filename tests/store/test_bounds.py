"""The bounds of all keys: the pipeline is flooded from every side on a real Redis, then every key that exists is
compared with the register in docs/reference/keys.md.
"""

import re
from collections import Counter as Multiset
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import orjson
import pytest
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from redis import Redis
from workers import Server, load_sample, pipeline_on, schedule_message, write_item

from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.growth import MemorySample
from schedules_pipeline.health.ports import DagsterSnapshot, FailedCheck, FailedRun, QueueName
from schedules_pipeline.maintenance.ports import Request
from schedules_pipeline.migration.ports import Comparison, ParityPoint, ServedSource, ServedState, Verdict
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import UsageKind, UsageLine
from schedules_pipeline.partners.sign_in import MOST_EACH, GuideSession, SignInLink
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.publishing.ports.expectations import Expectation
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.losses import Loss, LossKind, LossLimits
from schedules_pipeline.publishing.ports.rejections import MOST_REJECTIONS
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.publishing.ports.work import Failure, Mark
from schedules_pipeline.push.subscription import Progress, Subscription, SubscriptionKind

T = TypeVar("T")

_REGISTER = Path(__file__).parents[2] / "docs/reference/keys.md"
_ROW = re.compile(
    r"^\| `<ks>:([^`]+)` \| (string|hash|list|sorted set|stream)[^|]* \| ([^|]+) \|", re.MULTILINE
)
_PLACES = {"sid/date": r"[a-z0-9_]+/\d{4}-\d\d-\d\d", "pid": "[a-z0-9]+"}
_SIZES = {
    "string": "EXISTS",
    "hash": "HLEN",
    "list": "LLEN",
    "sorted set": "ZCARD",
    "stream": "XLEN",
}
_NOT_FLOODED = {
    # Empty except within a step of a worker, or while one is at work.
    *("outbox:{sid/date}", "{work}:leases", "{work}:claimed_causes", "{work}:tokens", "{work}:probe"),
    # Of release 0.2.
    *("version:{sid/date}:<seq>", "{journal}:failing_checks"),
    *("{coldstart}:leader", "{coldstart}:pause", "{coldstart}:repairer", "{feed}:trimmed", "{alarms}:lease"),
}
_CHANGES, _MESSAGES, _INVENTED = 70, 3_000, 200


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the register. ``bound``: a number, and a number for each unit, such as "1,000 + 1 × schedules"."""

    key: str
    kind: str
    bound: str

    def matches(self, name: str) -> bool:
        pattern = re.escape(self.key).replace(re.escape("<seq>"), r"\d+")
        pattern = pattern.replace(re.escape("<date>"), r"\d{4}-\d\d-\d\d")
        for word in ("<queue>", "<check>"):
            pattern = pattern.replace(re.escape(word), "[a-z_]+")
        for place, form in _PLACES.items():
            pattern = pattern.replace(re.escape(f"{{{place}}}"), rf"\{{{form}\}}")
        return re.fullmatch(pattern, name) is not None

    def limit(self, units: Mapping[str, int]) -> int:
        total = 0
        for term in self.bound.split(" + "):
            number, _, unit = term.partition(" × ")
            total += units[number] if number in units else int(number.replace(",", "")) * units.get(unit, 1)
        return total


def _register() -> list[_Row]:
    return [_Row(*found) for found in _ROW.findall(_REGISTER.read_text())]


def _tens(of: Sequence[T]) -> list[Sequence[T]]:
    """As many messages as a queue delivers at once."""
    return [of[start : start + 10] for start in range(0, len(of), 10)]


class _World:
    """A day of the sample, and what floods its pipeline. ``named``: every schedule that anything named."""

    def __init__(self, redis: RedisServer) -> None:
        self.server, self.source = Server(redis.url, is_cluster=False), _upstreams()
        self.sample, self.keys = load_sample(self.server, self.source)
        self.now = datetime(2026, 6, 1, 12, tzinfo=UTC)
        self.pipeline: Pipeline = pipeline_on(self.server, "flooded", self.source, lambda: self.now)
        self.store = self.pipeline.store
        self.named, self.items_named = set(self.keys), 0
        self.documents = dict(zip(self.keys, self.sample.schedules.values(), strict=True))

    def announce(self, *keys: ScheduleKey) -> None:
        for batch in _tens(keys):
            self.pipeline.schedule_intake.handle([schedule_message(n, key) for n, key in enumerate(batch)])

    def publish(self) -> None:
        while self.pipeline.publisher.publish_next(300) is not None:
            pass

    def put(self, key: ScheduleKey, document: Any) -> None:
        content = document if isinstance(document, bytes) else orjson.dumps(document)
        self.source.schedule_source.put(key, content)

    def units(self) -> dict[str, int]:
        """What the register counts by."""
        broadcasts = sum(len(document["broadcasts"]) for document in self.documents.values())
        return {
            "schedules": len(self.named),
            "items": len(self.sample.catalogue) + self.items_named,
            "references": 4 * broadcasts,
            "services": len({key.sid for key in self.named}),
            "partners": 3,
            "subscriptions": 1,
            "names": 60,
        }


def _upstreams() -> FakeUpstreams:
    return fake_upstreams(FakeClock(), Random(0))


def _count(redis: Any, kind: str, name: str) -> int:
    return int(redis.execute_command(_SIZES[kind], name))


# The ways in


def _versions_and_causes(world: _World) -> None:
    """One schedule changes seventy times, and is marked two hundred times."""
    world.announce(*world.keys)
    world.publish()
    key = world.keys[0]
    document = orjson.loads(orjson.dumps(world.documents[key]))
    for number in range(_CHANGES):
        document["broadcasts"][0]["is_repeat"] = bool(number % 2)
        document["broadcasts"][0]["is_signed"] = not document["broadcasts"][0]["is_signed"]
        document["broadcasts"][1]["version_pid"] = f"v{number:07}"
        document["broadcasts"][1]["is_repeat"] = not document["broadcasts"][1]["is_repeat"]
        world.put(key, document)
        world.announce(key)
        world.publish()
    heads = world.store.feed.heads()
    assert heads[key].seq > _CHANGES / 2
    cause = Cause("e" * 100, Origin.OPERATOR, "s" * 100, world.now)
    world.store.work.mark([Mark(key, world.now, cause)] * 200)


def _rejected_messages(world: _World) -> None:
    for batch in _tens(range(_MESSAGES)):
        messages = [Message(f"m-{n}", "{" * 5_000, world.now, "", 1) for n in batch]
        world.pipeline.schedule_intake.handle(messages)
        world.pipeline.catalogue_intake.handle(messages)


def _rejected_documents_and_items(world: _World) -> None:
    for key in world.keys[1:]:
        world.put(key, b"<html>" * 1_000)
    world.announce(*world.keys[1:])
    world.publish()
    pids = list(world.sample.catalogue)[:1_500]
    server = world.server.link()
    server.run([write_item({"pid": pid, "type": "?" * 5_000}) for pid in pids])
    for batch in _tens(pids):
        world.pipeline.catalogue_intake.handle([_update(pid) for pid in batch])


def _unknown_services_and_items(world: _World) -> None:
    invented = [ScheduleKey(Sid(f"invented_{n}"), date(2026, 6, 1)) for n in range(_INVENTED)]
    world.named |= set(invented)
    for key in invented[::2]:
        world.put(key, b"{}")
    world.announce(*invented)
    world.publish()
    world.items_named += _INVENTED
    world.pipeline.catalogue_intake.handle([_update(f"b{n:08}") for n in range(_INVENTED)])


def _update(pid: str) -> Message:
    said = orjson.dumps({"action": "UPDATE", "type": "episode", "pid": pid}).decode()
    body = orjson.dumps({"TopicArn": "catalogue-events", "Message": said}).decode()
    return Message(f"update of {pid}", body, datetime(2026, 6, 1, tzinfo=UTC), "", 1)


def _losses(world: _World) -> None:
    """Every day loses nearly everything, some are decided, and some losses are within the budget."""
    for key, document in world.documents.items():
        world.put(key, {**document, "broadcasts": document["broadcasts"][:1]})
    world.announce(*world.keys)
    world.publish()
    held = world.pipeline.holds.list()
    world.pipeline.holds.reject(held[0], Cause("e", Origin.OPERATOR, "", world.now))
    for key, document in world.documents.items():
        blanked = [{**b, "is_blanked": True} for b in document["broadcasts"]]
        world.put(key, {**document, "broadcasts": [*blanked[:2], *document["broadcasts"][2:]]})
    world.announce(*world.keys[: len(world.keys) // 2])
    world.publish()


def _failures(world: _World) -> None:
    """Some schedules wait for a retry, others are quarantined, and one is pending."""
    cause = Cause("e", Origin.OPERATOR, "", world.now)
    claim = world.store.work.claim_exactly(world.keys[:9], cause, world.now, timedelta(minutes=1))
    later = world.now + timedelta(hours=1)
    failures = {k: Failure("broke " * 100, later if n % 2 else None) for n, k in enumerate(world.keys[:9])}
    world.store.work.postpone(claim, failures, counts=True)
    world.store.work.mark([Mark(world.keys[10], world.now, cause)])


def _partners_and_subscriptions(world: _World) -> None:
    store, now = world.store, world.now
    for number in range(60):
        store.partners.create(Partner(f"partner-{number}", now))
        for sign_in in range(2 * MOST_EACH):
            until = now + timedelta(hours=1, seconds=sign_in)
            digest = f"{number} {sign_in}"
            store.sign_ins.begin(digest, GuideSession(f"partner-{number}", until), now)
            store.sign_ins.add_link(digest, SignInLink(f"partner-{number}", until), now)
        made = Subscription(
            f"s{number}", f"partner-{number}", SubscriptionKind.WEBHOOK, "https://a.example", now
        )
        store.subscriptions.create(made, Progress("0", "epoch"))
        store.subscriptions.acquire(made.name, now, timedelta(minutes=1))
        counts = {UsageLine(f"partner-{number}", UsageKind.REQUESTS, f"r{n}", "200"): n for n in range(9)}
        store.partners.add_usage(now.date() - timedelta(days=number), counts)
        if number < 59:
            store.subscriptions.remove(made.name)
            store.partners.remove(f"partner-{number}")
            store.sign_ins.end_all(f"partner-{number}")
    for number in range(1, 1_100):
        source = ServedSource.OURS if number % 2 else ServedSource.LEGACY
        store.served.change(ServedState(number, source, now, "ada", "w" * 100, 1.0, forced=False))


def _journal(world: _World) -> None:
    """Comparisons, checks, reports, samples, heartbeats, the watch, and the expected ranges."""
    store, now = world.store, world.now
    differences = tuple(("w0000001", "title", "a" * 100, "b" * 100) for _ in range(20))
    differs = Comparison(1, Verdict.DIFFERS, "", "", 99, differences)
    store.comparisons.keep(dict.fromkeys(world.keys, differs))
    store.comparisons.record_compared_refresh(now.isoformat())
    # A schedule that fails a check as a warning fails it no longer as an error.
    for is_error, keys in ((True, world.keys), (False, world.keys[::2])):
        failed = FailedCheck("x" * 500, is_error=is_error)
        store.failing_checks.record({(key, c.value): failed for key in keys for c in CheckName})
    for number in range(500):
        store.parity_trend.append(ParityPoint(now, number, 1, 1, is_ready=False))
        store.memory_history.add(MemorySample(now, number, 1))
    for process in DeliveryProcess:
        store.heartbeats.record(process, now)
    for number in range(4):
        store.presence.reserve(f"starting:{number}", 60, most=4)
        store.presence.renew(f"run {number}", 60, reservation=f"starting:{number}")
    for queue in QueueName:
        store.queue_polls.record_poll(queue, now, now)
        store.queue_polls.record_poll(queue, now, None)
        store.queue_polls.announce_receiver(queue, 60)
    for number in range(3):
        world.pipeline.watch.check(DagsterSnapshot(now, (FailedRun(f"job {number}", "r", now),)))
    world.pipeline.reconciler.reconcile()
    # Not before the reconciliation, which forgets what no document has.
    store.quarantined_broadcasts.keep(dict.fromkeys(world.keys, "broken\n" * 100))


def _passes_over_everything(world: _World) -> None:
    """A coldstart that is not finished, losses within the budget, and the expected ranges of all services."""
    store, now = world.store, world.now
    store.coldstarts.begin_epoch("first")
    store.coldstarts.open("one", Request("r" * 100, now))
    store.coldstarts.lead("one", "run", now, timedelta(minutes=1))
    store.coldstarts.list_work("one", [world.keys], now)
    limits = LossLimits(10**9, {key.sid: 10**9 for key in world.keys})
    lost = {key: (Loss(key, LossKind.SHRUNK, "d", 1, now), b"source") for key in world.keys}
    store.losses.reserve(lost, limits, "loss", now)
    store.losses.reserve(
        {world.keys[0]: (Loss(world.keys[0], LossKind.SHRUNK, "d2", 10**10, now), b"")}, limits, "l", now
    )
    store.losses.record_blanking(dict.fromkeys(world.keys, timedelta(hours=1)), now)
    store.expectations.keep({key.sid: Expectation(now, (), {}, {}) for key in world.keys})


_FLOODS: tuple[Callable[[_World], None], ...] = (
    _versions_and_causes,
    _rejected_messages,
    _losses,
    _rejected_documents_and_items,
    _unknown_services_and_items,
    _partners_and_subscriptions,
    _journal,
    _passes_over_everything,
    _failures,
)


@pytest.fixture
def flooded(redis_server: RedisServer, redis_client: Redis) -> _World:
    world = _World(redis_server)
    for flood in _FLOODS:
        flood(world)
    return world


@pytest.mark.slow
def test_every_key_is_in_the_register_and_within_its_bound(flooded: _World, redis_client: Redis) -> None:
    """After the flood no key is unknown, none is above its bound, and no kind of key is missing from the flood."""
    register, units = _register(), flooded.units()
    counts, unknown = Multiset[str](), []
    for name in sorted(key.decode() for key in redis_client.scan_iter("flooded:*", 1_000)):
        row = next((row for row in register if row.matches(name.removeprefix("flooded:"))), None)
        if row is None:
            unknown.append(name)
        else:
            counts[row.key] += _count(redis_client, row.kind, name)

    assert unknown == []
    assert {row.key: counts[row.key] for row in register if counts[row.key] > row.limit(units)} == {}
    assert sorted({row.key for row in register if not counts[row.key]} - _NOT_FLOODED) == []


@pytest.mark.slow
def test_rejections_are_bounded_in_number_and_bytes(flooded: _World, redis_client: Redis) -> None:
    """Every one takes at most 2,000 bytes. A rejected schedule stays, and a summary reads a few."""
    sizes = [len(value) for value in redis_client.hvals("flooded:{journal}:refused")]
    summary = flooded.store.rejections.summary(5)

    assert max(sizes) <= 2_000
    assert len(sizes) <= MOST_REJECTIONS + len(flooded.named)
    assert len(summary.latest) == 5
    assert summary.total == len(sizes)
