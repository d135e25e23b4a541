"""The law of delivery: a partner that follows the feed from any point ends with the published schedules, after any
events.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from delivery_stage import DeliveryStage
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from toy_world import FOCI, KEYS, PIDS, ItemAnnouncedAgain, RandomUpstream, ScheduleRemoved

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partners.partner import Partner

_OK, _NOT_FOUND, _GONE = 200, 404, 410
_NO_STATE = ("conditions", "_clock")


Version = tuple[int, str, datetime]


def _version(fields: dict[str, Any]) -> Version:
    """Of a schedule's document, or of its line in the digest."""
    return fields["seq"], fields["etag"], datetime.fromisoformat(fields["published_at"])


@dataclass(slots=True)
class Follower:
    """A partner's machine, as docs/reference/api.md tells its developer to write it."""

    client: TestClient
    cursor: str = ""
    documents: dict[str, bytes] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)

    def read_digest(self) -> None:
        """Fetch the schedules with another version, drop those not published, and continue from the digest's cursor."""
        digest = self.client.get("/v1/digest").json()
        listed: set[str] = set()
        for sid, days in digest["services"].items():
            for day in days:
                key = f"{sid}/{day['date']}"
                if not day["removed"]:
                    listed.add(key)
                    if self.versions.get(key) != _version(day):
                        self._fetch(key, f"/v1/schedules/{key}?min_seq={day['seq']}")
        for key in self.documents.keys() - listed:
            self._drop(key)
        self.cursor = digest["cursor"]

    def read_page(self, limit: int) -> bool:
        """One page of changes; whether there are more."""
        page = self.client.get("/v1/changes", params={"since": self.cursor, "limit": limit})
        if page.status_code == _GONE:
            self.read_digest()
            return True
        assert page.status_code == _OK, page.text
        for change in page.json()["changes"]:
            key = f"{change['sid']}/{change['date']}"
            if change["removed"]:
                self._drop(key)
            else:
                self._fetch(key, change["href"])
        self.cursor = page.json()["cursor"]
        return bool(page.json()["more"])

    def _fetch(self, key: str, address: str) -> None:
        answer = self.client.get(address)
        if answer.status_code == _NOT_FOUND:
            self._drop(key)
            return
        assert answer.status_code == _OK, answer.text
        document = answer.json()
        self.documents[key], self.versions[key] = answer.content, _version(document)

    def _drop(self, key: str) -> None:
        self.documents.pop(key, None)
        self.versions.pop(key, None)


class History:
    """A random history: of upstream, of the service's processes, of the feed that is trimmed, of partners who read."""

    def __init__(self, seed: int, services: tuple[str, ...]) -> None:
        self.random = random = Random(seed)
        self.stage = DeliveryStage(seed)
        self.stage.add_partner(Partner("partial", self.stage.clock(), services, requests_per_minute=60_000))
        self.stage.keep_up()
        focus = random.choice(FOCI)
        self._upstream = RandomUpstream(random, focus, troubled=False)
        self.followers: list[Follower] = []
        self.stage.store.coldstarts.begin_epoch("first")
        self._save()

    def step(self) -> None:
        steps = [self._change] * 6 + [self._keep_up] * 4 + [self._read] * 8
        steps += [self._begin, self._restart, self._trim, self._save, self._save, self._lose]
        self.random.choice(steps)()

    def end(self) -> None:
        """All pending work is done, and every follower reads to the end."""
        self.stage.settle()
        self.stage.keep_up()
        for follower in self.followers:
            while follower.read_page(3):
                pass

    def _change(self) -> None:
        self.stage.publish([self._upstream.change() for _ in range(self.random.randint(1, 3))])

    def _keep_up(self) -> None:
        self.stage.follower.follow(wait_seconds=0)

    def _begin(self) -> None:
        """A new follower, or a returning one, that starts at any earlier point of the feed."""
        follower = Follower(self.stage.client("partial"))
        follower.read_digest()
        self.followers.append(follower)

    def _read(self) -> None:
        if self.followers:
            self.random.choice(self.followers).read_page(self.random.choice([1, 2, 50]))

    def _restart(self) -> None:
        self.stage.begin_delivery()
        for follower in self.followers:
            follower.client = self.stage.client("partial")

    def _trim(self) -> None:
        self.stage.clock.advance(timedelta(hours=1))
        self.stage.store.feed.trim(self.stage.clock() - timedelta(minutes=self.random.choice([0, 30, 90])))

    def _lose(self) -> None:
        """Our keyspace goes back to an earlier state, gets another epoch, and is built anew from its sources: what
        partners have seen may be numbered a second time, with other content.
        """
        store = self.stage.store
        for part, state in zip((store.schedules, store.feed), self._saved, strict=True):
            vars(part).update(deepcopy(state))
        store.coldstarts.renew_epoch(f"epoch {self.random.random()}")
        for key in KEYS:
            ScheduleRemoved(key).announce(self.stage.upstreams)
        for pid in PIDS:
            ItemAnnouncedAgain(pid).announce(self.stage.upstreams)
        self.stage.settle()

    def _save(self) -> None:
        """What a replica or a snapshot of our keyspace holds, to come back after a loss."""
        store = self.stage.store
        self._saved = [
            deepcopy({name: value for name, value in vars(part).items() if name not in _NO_STATE})
            for part in (store.schedules, store.feed)
        ]


@pytest.mark.parametrize("services", [("*",), ("alder",)])
@given(seed=st.integers(0, 1_000_000), length=st.integers(5, 60))
@settings(max_examples=40)
def test_who_follows_ends_with_what_is_published(services: tuple[str, ...], seed: int, length: int) -> None:
    """After any sequence of events, every follower has exactly the published bytes of its services."""
    history = History(seed, services)
    history._begin()
    for _ in range(length):
        history.step()

    history.end()

    published = {
        str(key): document
        for key, document in history.stage.store.schedules.documents(KEYS).items()
        if _is_visible(key, services)
    }
    assert [follower.documents for follower in history.followers] == [published] * len(history.followers)


def _is_visible(key: ScheduleKey, services: tuple[str, ...]) -> bool:
    return services == ("*",) or key.sid in services
