"""``python -m demo.sandbox``: an invented broadcaster that everybody may read with a published key.

Partners' developers try the interface with it. The product's own publishing and delivery service run on a Redis of
their own; the broadcaster's systems are in memory. No other keyspace is read, and the key opens nothing else (ADR 46).
"""

import argparse
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from demo.console import clock_time, say, utc_now
from demo.delivery_service import DeliveryService, PushService
from demo.replay.world import World, settings_for
from demo.sample import Sample, make_sample
from demo.servers import LOOPBACK, RedisServer
from demo.traffic import Change, Traffic
from demo.webhook_receiver import WebhookReceiver
from schedules_pipeline.composition import Store
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    HistoryEvent,
    SchedulePut,
    ScheduleRemoved,
)
from schedules_pipeline.partners.partner import ApiKey, Partner, key_digest
from schedules_pipeline.partners.ports import PartnerStore
from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin
from schedules_pipeline.push.subscription import Subscription, SubscriptionKind
from schedules_pipeline.push.webhook_signature import derive_secret, render_secret

NAME: Final = "sandbox"
KEY: Final = f"sk_sandbox0_{'notasecret' * 4}"
"""Published: it opens this broadcaster's data alone."""

WEBHOOK: Final = f"{NAME}-webhook"

_MASTER_SECRET: Final = "SCHEDULES_WEBHOOK_MASTER_SECRET"
_PUSH: Final = {"SCHEDULES_PUSH_ALLOWED_NETWORKS": f'["{LOOPBACK}"]'}
_DAYS_BEFORE, _KEPT_DAYS = 2, 7


class Broadcaster:
    """Schedules of ``days`` days around today, which change all the time and move on every day (UTC)."""

    def __init__(self, world: World, rng: Random, days: int = 14) -> None:
        self._world = world
        self._rng = rng
        self._days = days
        self._sample = Sample({}, {})
        self._today: date | None = None
        self._traffic = Traffic(self._sample, rng)

    def step(self, now: datetime) -> str:
        """Let the next change happen and be published. On a new day its schedules come first. Returns what changed."""
        self._world.clock.now = now
        if now.date() != self._today:
            self._begin_day(now)
        change = self._traffic.next_change(now)
        self._apply(change, now)
        return change.description

    def _begin_day(self, now: datetime) -> None:
        fresh = make_sample(now.date() - timedelta(days=_DAYS_BEFORE), self._days, clock_change_days=False)
        missing = Change(
            "",
            {pid: each for pid, each in fresh.catalogue.items() if pid not in self._sample.catalogue},
            {key: each for key, each in fresh.schedules.items() if key not in self._sample.schedules},
        )
        self._apply(missing, now)
        over = [key for key in self._sample.schedules if key[1] < now.date() - timedelta(days=_KEPT_DAYS)]
        self._world.write([ScheduleRemoved(now, *key) for key in over])
        for key in over:
            del self._sample.schedules[key]
        self._world.pipeline.collector.collect()
        self._traffic, self._today = Traffic(self._sample, self._rng), now.date()

    def _apply(self, change: Change, now: datetime) -> None:
        events = list(_events(change, now))
        self._world.write(events)
        # Nothing depends on an item on the first day yet, so only the schedules need to be announced.
        self._world.announce(events if self._today else [e for e in events if isinstance(e, SchedulePut)])
        self._world.settle()
        self._sample.catalogue.update(change.catalogue)
        for pid in change.deleted:
            self._sample.catalogue.pop(pid, None)
        for key, schedule in change.schedules.items():
            if schedule is None:
                self._sample.schedules.pop(key, None)
            else:
                self._sample.schedules[key] = schedule


def _events(change: Change, at: datetime) -> Iterator[HistoryEvent]:
    for pid, document in change.catalogue.items():
        yield CatalogueUpdated(at, document, document["type"], pid)
    for pid, kind in change.deleted.items():
        yield CatalogueDeleted(at, kind, pid)
    for (sid, day), schedule in change.schedules.items():
        yield ScheduleRemoved(at, sid, day) if schedule is None else SchedulePut(at, schedule, sid, day)


def enter_everybody(partners: PartnerStore, now: datetime) -> None:
    """The partner of the published key. Its limits are those of all developers together."""
    key = ApiKey("sandbox0", key_digest(KEY), now)
    partners.create(
        Partner(
            NAME,
            now,
            is_preview=True,
            is_public=True,
            requests_per_minute=6_000,
            requests_per_day=1_000_000,
            waiting_at_once=200,
            keys=(key,),
        )
    )


def main(words: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM. Returns 1 after one line about a server that could not start."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="the address to listen on")
    parser.add_argument("--port", type=int, help="by default a free one")
    parser.add_argument(
        "--webhook", default="", help="your receiver; by default one that prints what it gets"
    )
    parser.add_argument("--changes-per-minute", type=float, default=6.0)
    options = parser.parse_args(words)
    # A shell that starts it in the background lets it ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with TemporaryDirectory(prefix="sandbox-") as directory, RedisServer(Path(directory)) as redis:
            _run(options, Path(directory), redis.url)
    except KeyboardInterrupt:
        say("stopped")
    except (PipelineError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, directory: Path, redis_url: str) -> None:
    settings = settings_for(redis_url, NAME).model_copy(update={"retention_days": _KEPT_DAYS})
    world, rng = World(redis_url, settings), Random()
    store = world.pipeline.store
    store.coldstarts.begin_epoch(f"{NAME}-{utc_now():%Y%m%dT%H%M%S}")
    enter_everybody(store.partners, utc_now())
    broadcaster = Broadcaster(world, rng)
    say("publishing fourteen days of an invented broadcaster")
    broadcaster.step(utc_now())
    environment = {"SCHEDULES_REDIS_URL": redis_url, "SCHEDULES_KEYSPACE": NAME, **_PUSH}
    master = secrets.token_hex(32)
    with_secret = {**environment, _MASTER_SECRET: master}
    # Everybody has the key, so partners of a public sandbox do not rotate the secret that all of them use.
    own = with_secret if options.host == LOOPBACK else environment
    with (
        WebhookReceiver(utc_now) as receiver,
        DeliveryService(directory, own, options.port, "--port", options.host) as service,
    ):
        secret = subscribe(store, options.webhook or receiver.url, master.encode())
        receiver.trust(secret)
        with PushService(directory, with_secret):
            say(f'curl -H "Authorization: Bearer {KEY}" {service.url}/v1/services')
            say(
                f'curl -X POST -H "Authorization: Bearer {KEY}" {service.url}/v1/subscriptions/{WEBHOOK}/ping'
            )
            say(f"webhooks go to {options.webhook or 'this terminal'}, signed with {render_secret(secret)}")
            while True:
                time.sleep(rng.expovariate(options.changes_per_minute / 60))
                say(f"{clock_time(utc_now())}  {broadcaster.step(utc_now())}")
                for got in receiver.drain():
                    say(f"{clock_time(utc_now())}  webhook: {got.kind} {got.key} {got.seq or ''}".rstrip())


def subscribe(store: Store, target: str, master: bytes) -> bytes:
    """Let changes from now on be sent there. Returns the secret that signs them."""
    webhook = Subscription(WEBHOOK, NAME, SubscriptionKind.WEBHOOK, target, utc_now())
    SubscriptionAdmin(store, utc_now).register(webhook)
    return derive_secret(master, webhook, webhook.generation)


if __name__ == "__main__":
    sys.exit(main())
