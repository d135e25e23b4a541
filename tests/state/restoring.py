"""A keyspace with everything that no source has, an empty one over the same sources, and the import between them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zlib import crc32

from fakes import Conditions, FakeClock, FakeStore, FakeUpstreams, fake_store, pipeline_over
from toy_world import (
    EPISODES,
    InvalidSchedulePut,
    ItemDeleted,
    ItemPut,
    SchedulePut,
    ScheduleRemoved,
    Slot,
    World,
)

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.migration.ports import ParityPoint, ServedSource, ServedState
from schedules_pipeline.partners.partner import RANDOM_BYTES, IssuedKey, Partner, issue_key
from schedules_pipeline.partners.ports import UsageKind, UsageLine
from schedules_pipeline.publishing.policy import LossPolicy
from schedules_pipeline.publishing.ports.expectations import Expectation, ObservedDay
from schedules_pipeline.push.subscription import Progress, Subscription, SubscriptionKind
from schedules_pipeline.state.document import StateDocument, parse_state, render_state
from schedules_pipeline.state.export import StateExporter
from schedules_pipeline.state.plan import Plan
from schedules_pipeline.state.restore import StateRestorer

LOSSES = LossPolicy(smallest_share=0.5, whole_hours=3, service_hours=2.5)
"""Days of two hours: one may go within an hour, two may not."""

TOMORROW = date(2026, 3, 29)
REMOVED, REMOVED_TOO, LET_THROUGH, SHRUNK, UNKNOWN, REJECTED, ORDINARY = KEYS = [
    ScheduleKey(Sid(sid), TOMORROW) for sid in ("alder", "birch", "cedar", "dogwood", "elm", "fir", "gorse")
]
HELD = (REMOVED, REMOVED_TOO, SHRUNK, UNKNOWN)
GONE = EPISODES[1]
"""An episode that the catalogue has deleted since."""

SUBSCRIPTION = "acme-webhook"


@dataclass
class Restored:
    """An empty keyspace over the sources of another."""

    clock: FakeClock
    upstreams: FakeUpstreams
    conditions: Conditions

    def __post_init__(self) -> None:
        self.store: FakeStore = fake_store(self.clock, self.conditions)
        self.pipeline: Pipeline = pipeline_over(
            self.store.as_store(), self.upstreams, self.clock, losses=LOSSES
        )

    def restore(self, state: StateDocument, *, replaces: bool = False) -> Plan:
        pipeline = self.pipeline
        restorer = StateRestorer(pipeline.store, pipeline.follower, pipeline.publisher, pipeline.clock)
        return restorer.restore(state, cause(self.clock()), replaces=replaces)

    def coldstart(self, coldstart_id: str = "new") -> None:
        self.pipeline.coldstarter.work_at(coldstart_id, "worker", 0, lambda _: None)

    def export(self) -> StateDocument:
        return export(self.pipeline)

    def contents(self) -> dict[ScheduleKey, bytes]:
        return contents(self.store)


def cause(now: datetime) -> Cause:
    return Cause("state import", Origin.OPERATOR, "state import", now)


def export(pipeline: Pipeline) -> StateDocument:
    """Through the bytes of a file."""
    exporter = StateExporter(pipeline.store, pipeline.upstreams.catalogue_source, "schedules", pipeline.clock)
    return parse_state(render_state(exporter.gather()))


def contents(store: FakeStore) -> dict[ScheduleKey, bytes]:
    """What partners see: the broadcasts of each schedule, without its number and time."""
    return {
        key: document.partition(b'"broadcasts"')[2]
        for key, document in store.schedules.documents(KEYS).items()
    }


def day(key: ScheduleKey, broadcasts: int = 4, episode: Pid = EPISODES[0]) -> SchedulePut:
    """A day of so many half-hour broadcasts of one episode."""
    slots = (Slot(Pid(f"w{crc32(str(key).encode()):010}{number}"), episode) for number in range(broadcasts))
    return SchedulePut(key, tuple(slots))


def world_with_state() -> tuple[World, IssuedKey]:
    """A published keyspace with partners, a switch, held losses of every kind, and input that was rejected."""
    world = World(losses=LOSSES)
    titles = zip(EPISODES, ("Harbour Lights", "Quiet Viaduct", "Salt and Slate"), strict=True)
    world.happen(*(ItemPut(pid, title) for pid, title in titles))
    own = {ORDINARY: GONE, UNKNOWN: EPISODES[2]}
    world.happen(*(day(key, episode=own.get(key, EPISODES[0])) for key in KEYS))
    world.settle()
    world.store.coldstarts.begin_epoch("old")
    issued = _decide(world)
    world.happen(
        ItemDeleted(GONE), InvalidSchedulePut(REJECTED), day(SHRUNK, 1), ScheduleRemoved(LET_THROUGH)
    )
    world.settle()
    world.happen(
        ScheduleRemoved(REMOVED), ScheduleRemoved(REMOVED_TOO), day(UNKNOWN, episode=Pid("p9999999"))
    )
    world.settle()
    assert set(world.store.losses.holds()) == set(HELD)
    return world, issued


def _decide(world: World) -> IssuedKey:
    store, now = world.store, world.clock()
    issued = issue_key(bytes(RANDOM_BYTES), now)
    store.partners.create(Partner("acme", now, keys=(issued.key,)))
    store.served.change(ServedState(1, ServedSource.OURS, now, "ada", "ready", 1.0, forced=False))
    store.served.change(ServedState(2, ServedSource.LEGACY, now, "ada", "wait", 1.0, forced=False))
    store.served.change(ServedState(3, ServedSource.OURS, now, "ada", "ready again", 1.0, forced=False))
    webhook = Subscription(
        SUBSCRIPTION,
        "acme",
        SubscriptionKind.WEBHOOK,
        "http://127.0.0.1/changes",
        now,
        generation=2,
        rotated_at=now,
    )
    store.subscriptions.create(webhook, Progress(store.feed.last_position(), "old"))
    observed = tuple(ObservedDay(TOMORROW - timedelta(days=n), {}) for n in range(9, 1, -1))
    store.expectations.keep({ORDINARY.sid: Expectation(now, observed, {}, {})})
    store.parity_trend.append(ParityPoint(now, 7, 7, 7, is_ready=True))
    store.partners.add_usage(now.date(), {UsageLine("acme", UsageKind.REQUESTS, "/v1/digest", "200"): 5})
    return issued


def emptied(world: World, conditions: Conditions | None = None) -> Restored:
    """What is left after the Redis was lost: the sources, with their messages handled."""
    return Restored(world.clock, world.upstreams, conditions or Conditions())
