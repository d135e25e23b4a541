"""The guide in a real browser: a published guide, the service as its own process, and a reader."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from browser import Tab
from fakes import FakeClock, FakeUpstreams, fake_upstreams, pipeline_over
from pydantic import SecretStr

from demo.delivery_service import DeliveryService
from demo.partner_side import guide_address
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_store
from schedules_pipeline.delivery.guide.grid import day_of
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.partners.partner import RANDOM_BYTES, IssuedKey, Partner, issue_key
from schedules_pipeline.settings import Settings

CALENDAR = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
SIDS = tuple(map(Sid, ("alder_one", "alder_two", "alder_three", "birch_radio")))
ONE = SIDS[0]
_HALF_AN_HOUR = timedelta(minutes=30)
_BRAND = "b0000001"
_PATIENCE_SECONDS = 30.0
PHONE, NARROW, DESKTOP = (390, 844), (320, 700), (1440, 900)


class RealClock(FakeClock):
    """The real time, because the browser marks the programmes on air now."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


class Broadcaster:
    """Four services of half hours, published through the real workflows into a real Redis. The second has a gap, an
    overlap, a blanked showing and an unknown episode.
    """

    def __init__(self, redis: RedisServer) -> None:
        self.redis_url = redis.url
        clock = RealClock()
        self.today = day_of(CALENDAR, ONE, clock())
        self.upstreams: FakeUpstreams = fake_upstreams(clock, Random(0))
        self.pipeline: Pipeline = pipeline_over(
            build_store(Settings(redis_url=SecretStr(redis.url))), self.upstreams, clock
        )
        self.write("brand", _BRAND, "The Lamp Hour")
        for number in range(8):
            self.write("episode", f"p000000{number}", f"Evening {number}", parent_pid=_BRAND)
        keys = [self._list(sid, self.today + timedelta(days=n)) for sid in SIDS for n in (-1, 0, 1)]
        self.pipeline.publisher.rebuild_from_sources(keys, self._cause("all", Origin.COLDSTART))
        self.reader = self._admit()

    def publish_day(self, on: date) -> None:
        """A day of the first service that had no schedule yet."""
        self.pipeline.publisher.rebuild_from_sources(
            [self._list(ONE, on)], self._cause(str(on), Origin.SCHEDULE)
        )

    def write(self, kind: str, pid: str, title: str, **fields: str) -> None:
        synopses = {"short": f"What happens in {title}.", "medium": "", "long": ""}
        document = {"pid": pid, "type": kind, "title": title, "synopses": synopses, **fields}
        self.upstreams.catalogue_source.documents[Pid(pid)] = json.dumps(document).encode()

    def retitle(self, pid: str, title: str) -> None:
        """What an editor does: the schedules that show it are published anew."""
        self.write("episode", pid, title, parent_pid=_BRAND)
        self._publish(pid)

    def retitle_brand(self, title: str) -> None:
        """Every schedule is published anew."""
        self.write("brand", _BRAND, title)
        self._publish(_BRAND)

    def _publish(self, pid: str) -> None:
        self.pipeline.follower.follow({Pid(pid): self._cause(pid, Origin.CATALOGUE)})
        self.pipeline.publisher.publish_all()

    def _list(self, sid: Sid, on: date) -> ScheduleKey:
        key = ScheduleKey(sid, on)
        window = CALENDAR.window(key)
        count = window.length // _HALF_AN_HOUR if sid != "birch_radio" else 48
        broadcasts = [self._broadcast(key, n, window.start + n * _HALF_AN_HOUR) for n in range(count)]
        if sid == "alder_two":
            disturb(broadcasts)
        document = {
            "sid": sid,
            "date": str(on),
            "published_at": "2026-01-01T00:00:00Z",
            "broadcasts": broadcasts,
        }
        self.upstreams.schedule_source.put(key, json.dumps(document).encode())
        return key

    def _broadcast(self, key: ScheduleKey, number: int, start: datetime) -> dict[str, object]:
        return {
            "broadcast_pid": f"w{SIDS.index(key.sid)}{key.date:%y%m%d}{number:03}",
            "episode_pid": f"p000000{number % 8}",
            "version_pid": "v0000001",
            "start": start.isoformat(),
            "end": (start + _HALF_AN_HOUR).isoformat(),
            "is_repeat": number % 3 == 0,
            "is_signed": number % 5 == 0,
            "is_audio_described": number % 4 == 0,
        }

    def _cause(self, subject: str, origin: Origin) -> Cause:
        return Cause("event-1", origin, subject, datetime.now(UTC), ("title",))

    def _admit(self) -> IssuedKey:
        now = datetime.now(UTC)
        issued = issue_key(os.urandom(RANDOM_BYTES), now)
        partner = Partner("operator", now, is_operator=True, requests_per_minute=6_000, keys=(issued.key,))
        assert self.pipeline.store.partners.create(partner)
        return issued


def disturb(broadcasts: list[dict[str, object]]) -> None:
    del broadcasts[4:6]
    broadcasts[8]["end"] = broadcasts[9]["end"]
    broadcasts[10]["is_blanked"] = True
    broadcasts[12]["episode_pid"] = "p0009999"


@contextmanager
def serving(broadcaster: Broadcaster, directory: Path, port: int | None = None) -> Iterator[DeliveryService]:
    """The service, as soon as it knows the reader's key."""
    environment = {**os.environ, "SCHEDULES_REDIS_URL": broadcaster.redis_url}
    with DeliveryService(directory, environment, port) as service:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not service.admits(broadcaster.reader.text):
            assert time.monotonic() < deadline, service.log_path.read_text()
            time.sleep(0.05)
        yield service


def enter(tab: Tab, service: DeliveryService, broadcaster: Broadcaster) -> None:
    sign_ins = broadcaster.pipeline.store.sign_ins
    tab.go(guide_address(service.url, sign_ins, datetime.now(UTC), "operator"))
    tab.wait_until("location.pathname == '/guide' && document.readyState == 'complete'")
    wait_until_following(tab)


def wait_until_following(tab: Tab) -> None:
    tab.wait_until("document.getElementById('state')?.dataset.state == 'live'")
