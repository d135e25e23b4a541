"""The delivery service over fakes: schedules that are really published, a follower that is told when to look, and a
partner with a key.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

from fakes import FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from starlette.testclient import TestClient
from toy_world import Change

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.delivery.__main__ import build_delivery
from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.follower import Follower
from schedules_pipeline.delivery.running import upkeep_of
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.maintenance.continuity import ContinuityObserver
from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.publishing.intake import ingest
from schedules_pipeline.settings import Settings


class DeliveryStage:
    """Partners are served from our keyspace; one of them, ``acme``, may see everything, at any rate."""

    def __init__(self, seed: int = 1, **settings: object) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(seed))
        self.pipeline: Pipeline = pipeline_over(self.store.as_store(), self.upstreams, self.clock)
        self.settings = Settings(**settings)  # type: ignore[arg-type]
        self._keys: dict[str, str] = {}
        self.store.served.change(
            ServedState(1, ServedSource.OURS, self.clock(), "test", "test", None, forced=False)
        )
        self.add_partner(Partner("acme", self.clock(), requests_per_minute=60_000))
        self.begin_delivery()

    def begin_delivery(self) -> None:
        """A process of the service that has just started, with nothing in its memory."""
        self.delivery: Delivery = build_delivery(self.store.as_store(), self.settings, self.clock)
        store = self.delivery.store
        observer = ContinuityObserver(store.continuity, "a test", self.clock, every_seconds=0)
        self.follower = Follower(store.feed, store.schedules, observer, self.delivery.apply, self.clock)
        self.application = build_application(self.delivery)
        self.keep_up()

    def add_partner(self, partner: Partner) -> None:
        issued = issue_key(partner.name.encode().ljust(RANDOM_BYTES, b"."), self.clock())
        self._keys[partner.name] = issued.text
        self.store.partners.create(replace(partner, keys=(issued.key,)))

    def keep_up(self) -> None:
        """One round of everything that runs beside the answers."""
        upkeep_of(self.delivery)()
        self.follow()

    def follow(self) -> None:
        """Until the mirror has everything."""
        before = None
        while before != (before := self.delivery.mirror.cursor) or self.delivery.mirror.confirmed_at is None:
            self.follower.follow(wait_seconds=0)

    def publish(self, changes: Sequence[Change]) -> None:
        """Let these happen upstream, and take them in until nothing is pending."""
        for change in changes:
            change.write(self.upstreams)
            change.announce(self.upstreams)
        self.settle()

    def settle(self) -> None:
        for _ in range(1_000):
            taken = ingest(self.upstreams.schedule_queue, self.pipeline.schedule_intake.handle, 0)
            taken += ingest(self.upstreams.catalogue_queue, self.pipeline.catalogue_intake.handle, 0)
            self.pipeline.publisher.publish_all()
            if not taken.received and self.store.work.backlog().is_empty:
                return
            self.clock.advance(timedelta(seconds=1))
        raise AssertionError("it never settled")

    def client(self, partner: str | None = "acme") -> TestClient:
        """Asks as this partner; None: without a key."""
        headers = {"Authorization": f"Bearer {self._keys[partner]}"} if partner else {}
        return TestClient(self.application, headers=headers, raise_server_exceptions=False)
