"""Each process that serves partners sends exactly the commands that its Redis user may send, to exactly those keys.

``MONITOR`` records the commands while the process does everything that it can do. So unused permissions are found as
well as missing ones.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from random import Random
from threading import Event, Thread
from typing import Any

import orjson
import pytest
from fakes import FakeClock, fake_upstreams
from push_stage import DiesAt, FakeFileStore, FakeReceiver
from redis import Redis
from redis_users import commands_of, grant, rules_of, url_as
from starlette.testclient import TestClient
from workers import Server, build_everything, load_sample, pipeline_on

from demo.servers import RedisServer
from schedules_pipeline.composition import Store
from schedules_pipeline.connections import guide_naming_from, utc_now
from schedules_pipeline.delivery.__main__ import build_delivery
from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.follower import Follower
from schedules_pipeline.delivery.guide_sessions import GuideSessions
from schedules_pipeline.delivery.running import upkeep_of
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.documents.partner_document import parse_published
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.maintenance.continuity import ContinuityObserver
from schedules_pipeline.maintenance.ports import PassName, PassReport
from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import RANDOM_BYTES, IssuedKey, Partner, issue_key
from schedules_pipeline.partners.sign_in import LINK_LASTS, SignInLink, new_token, token_digest
from schedules_pipeline.publishing.ports.losses import Decision, Verdict
from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.push import Pusher
from schedules_pipeline.push.push_changes import WebhookPush
from schedules_pipeline.push.push_files import FilesPush
from schedules_pipeline.push.service import PushService
from schedules_pipeline.push.shared_rows import SharedRows
from schedules_pipeline.push.subscription import Progress, Subscription, SubscriptionKind
from schedules_pipeline.settings import Settings

_KEYSPACE = "schedules"
_USERS = ("delivery", "pusher")
_OF_CONNECTING = {"cluster|slots", "asking", "command", "script|load"}
_ON_A_CLUSTER_ALONE = {"get"}
"""A single server gets one MGET for many documents."""
_ONLY_IF_SET = {"wait"}
"""Sent if ``SCHEDULES_REDIS_WAIT_REPLICAS`` is set."""
_UNHEARD = {"xread"}
"""``MONITOR`` does not show a blocking call that timed out."""
_MASTER = b"a master secret that is no secret at all"
_PATIENCE_SECONDS = 30.0

Sent = list[list[str]]


@pytest.fixture
def server(redis_server: RedisServer, redis_client: Redis) -> Iterator[Server]:
    """The run's server with both users."""
    grant(redis_client, _USERS)
    yield Server(redis_server.url, is_cluster=False)
    redis_client.execute_command("ACL DELUSER", *_USERS)  # type: ignore[no-untyped-call]


@pytest.fixture
def keys(server: Server) -> list[ScheduleKey]:
    """The keys of the published schedules. The first has a second version."""
    source = fake_upstreams(FakeClock(), Random(0))
    sample, keys = load_sample(server, source)
    build_everything(pipeline := pipeline_on(server, _KEYSPACE, source), keys)
    broadcasts = sample.schedules[keys[0].sid, keys[0].date]["broadcasts"]
    signed = [{**each, "is_signed": not each["is_signed"]} for each in broadcasts]
    document = sample.schedules[keys[0].sid, keys[0].date] | {"broadcasts": signed}
    source.schedule_source.put(keys[0], orjson.dumps(document))
    build_everything(pipeline, keys[:1])
    pipeline.store.coldstarts.begin_epoch("first")
    return keys


def _store_as(user: str, server: Server) -> Store:
    source = fake_upstreams(FakeClock(), Random(0))
    restricted = Server(url_as(user, server.url), is_cluster=False) if user else server
    return pipeline_on(restricted, _KEYSPACE, source).store


_OF_THIS_WEEK = ("/dvb-i/{access}/programme", "/dvb-i/{access}/more-episodes")


def test_the_delivery_service_sends_what_its_user_may(
    server: Server, redis_client: Redis, keys: list[ScheduleKey]
) -> None:
    """The routes, the follower and the upkeep together send exactly the permitted commands to the permitted keys."""
    store, issued = _store_as("", server), issue_key(bytes(RANDOM_BYTES), utc_now())
    _add_partner(store, issued)
    store.passes.record(PassReport(PassName.WATCH, utc_now(), utc_now(), {"open": 0}))
    # One that restores a source, which is read with it.
    store.losses.decide({keys[0]: Decision("loss", "digest", Verdict.REJECTED, utc_now(), restores=True)})
    delivery = build_delivery(_store_as("delivery", server), Settings(), utc_now)
    of_store = delivery.store
    observer = ContinuityObserver(of_store.continuity, "a test", utc_now, every_seconds=0)
    follower = Follower(of_store.feed, of_store.schedules, observer, delivery.apply, utc_now)
    headers = {"Authorization": f"Bearer {issued.text}"}
    episode, brand = _of_a_brand(store.schedules.documents(keys[:1])[keys[0]])

    with _sent(redis_client) as sent:
        upkeep_of(delivery)()
        for _ in range(2):
            follower.follow(wait_seconds=0)
        # Older rows are then read from the store.
        delivery.tail.restart(delivery.mirror.cursor.position)
        application = build_application(delivery)
        asked = {**_questions(keys[0], episode), **_questions_by_address(keys[0], episode, issued.text)}
        with TestClient(application, headers=headers) as client:
            for route, path in asked.items():
                answer = client.get(path)
                # The sample's programmes are not shown this week.
                expected = 404 if route in _OF_THIS_WEEK else 200
                assert answer.status_code == expected, f"{path}: {answer.text[:300]}"
            _sign_in_and_out(client, store, issued.text)
            _ask_by_post(client, brand)
        store.partners.remove("acme")
        redis_client.delete(f"{_KEYSPACE}:{{delivery}}:partners")
        with pytest.raises(Exception, match="has lost its partners"):
            upkeep_of(delivery)()

    assert {path for path, of in application.openapi()["paths"].items() if "get" in of} <= asked.keys()
    _assert_sent_exactly("delivery", sent, redis_client)


def _add_partner(store: Store, issued: IssuedKey) -> None:
    """With a subscription of its own."""
    now = utc_now()
    store.partners.create(Partner("acme", now, is_operator=True, is_preview=True, keys=(issued.key,)))
    files = Subscription("acme-files", "acme", SubscriptionKind.FILES, "to/acme", now, ("json",))
    store.subscriptions.create(files, Progress("0", "first"))


def _ask_by_post(client: TestClient, brand: Pid) -> None:
    favourites = {"brands": [brand], "since": utc_now().isoformat()}
    replay = {"cursor": render_cursor(FeedCursor("first", "0"))}
    for path, body in (("/v1/episodes/latest", favourites), ("/v1/subscriptions/acme-files/replay", replay)):
        assert client.post(path, json=body).status_code == 200


def _of_a_brand(document: bytes) -> tuple[Pid, Pid]:
    """A broadcast episode and its brand."""
    return next(
        (showing.episode_pid, showing.brand.pid)
        for showing in parse_published(document).broadcasts
        if showing.episode_pid is not None and showing.brand is not None
    )


def _sign_in_and_out(client: TestClient, store: Store, key: str) -> None:
    """By a key, by a link, as a reader whom another process has signed in, and out."""
    now, token = utc_now(), new_token()
    link = SignInLink("acme", now + LINK_LASTS, asks=False)
    store.sign_ins.add_link(token_digest(token) or "", link, now)
    for form in (f"key={key}", f"link={token}"):
        assert client.post("/sign-in", content=form, follow_redirects=False).status_code == 303
    elsewhere = GuideSessions().begin(store.sign_ins, "acme", "", now)
    with TestClient(client.app, cookies={"schedules_session": elsewhere}) as reader:
        assert reader.get("/v1/services").status_code == 200
    assert client.post("/sign-out", follow_redirects=False).status_code == 303


def _questions(key: ScheduleKey, pid: Pid) -> Mapping[str, str]:
    """One request for each route, by its path."""
    sid, day = key.sid, key.date
    beginning = render_cursor(FeedCursor("first", "0"))
    return {
        **{path: path for path in ("/health/live", "/health/ready", "/v1/services", "/v1/digest")},
        "/health/serving": "/health/live",
        "/problems/{name}": "/problems/not-found",
        "/v1/schedules/{sid}/{date}": f"/v1/schedules/{key}",
        "/v1/schedules/{sid}": f"/v1/schedules/{sid}?from={day}&to={day}",
        "/v1/schedules": f"/v1/schedules?sid={sid}&date={day}",
        "/v1/schedules.{format}": f"/v1/schedules.xmltv?sid={sid}&date={day}",
        "/v1/changes": f"/v1/changes?since={beginning}",
        "/v1/changes/stream": "/v1/services",
        "/v1/now-next": f"/v1/now-next?sid={sid}",
        "/v1/programmes/{pid}/broadcasts": f"/v1/programmes/{pid}/broadcasts?from={day}T00:00:00Z",
        "/v1/catalogue/available": "/v1/catalogue/available?limit=5",
        "/v1/catalogue/coming": "/v1/catalogue/coming?limit=5",
        "/v1/status": "/v1/status",
        "/v1/subscriptions": "/v1/subscriptions",
        "/v1/subscriptions/{name}": "/v1/subscriptions/acme-files",
        "/guide": f"/guide?date={day}",
        "/guide/changes": "/guide/changes",
        "/guide/{sid}/{date}": f"/guide/{key}",
        "/guide/{sid}/{date}/versions": f"/guide/{key}/versions?before=1&after=2",
    }


def _questions_by_address(key: ScheduleKey, pid: Pid, access: str) -> Mapping[str, str]:
    """One request for each route whose address holds a key."""
    naming = guide_naming_from(Settings())
    questions = {
        "/dvb-i/{access}/services.xml": "",
        "/dvb-i/{access}/schedule": f"?sid={naming.service_id(key.sid)}&now_next=true",
        "/dvb-i/{access}/programme": f"?pid={naming.crid(pid)}",
        "/dvb-i/{access}/more-episodes": f"?pid={naming.crid(pid)}",
        "/players/{access}/guide.xml": "",
        "/players/{access}/guide.xml.gz": "",
    }
    return {path: path.replace("{access}", access) + query for path, query in questions.items()}


def test_the_pusher_sends_what_its_user_may(
    server: Server, redis_client: Redis, keys: list[ScheduleKey]
) -> None:
    """A webhook and files, from the beginning of the feed, use exactly the permitted commands and keys."""
    store, now = _store_as("", server), utc_now()
    store.partners.create(Partner("acme", now))
    store.served.change(ServedState(1, ServedSource.OURS, now, "somebody", "to see", None, forced=True))
    for kind, target in (
        (SubscriptionKind.WEBHOOK, "https://push.example.org/in"),
        (SubscriptionKind.FILES, "to/acme"),
    ):
        formats = ("json",) if kind is SubscriptionKind.FILES else ()
        store.subscriptions.create(
            Subscription(f"acme-{kind}", "acme", kind, target, now, formats), Progress("0", "first")
        )
    restricted = _store_as("pusher", server)
    service = PushService(_pusher(restricted, done := Event(), len(keys)), 2)
    running = Thread(target=service.run, daemon=True)

    with _sent(redis_client) as sent:
        running.start()
        assert done.wait(_PATIENCE_SECONDS)
        service.stop()
        running.join(_PATIENCE_SECONDS)

    _assert_sent_exactly("pusher", sent, redis_client)


class _Receiver(FakeReceiver):
    """Sets an event after so many deliveries."""

    def __init__(self, expected: int, done: Event) -> None:
        super().__init__(DiesAt())
        self._expected = expected
        self._done = done

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        answer = super().post(url, headers, body)
        if len(self.received) >= self._expected:
            self._done.set()
        return answer


def _pusher(store: Store, done: Event, expected: int) -> Pusher:
    rows = SharedRows(store.feed)
    return Pusher(
        store,
        WebhookPush(store.feed, rows, _Receiver(expected, done), _MASTER),
        FilesPush(store.feed, rows, store.schedules.documents, FakeFileStore(DiesAt())),
        utc_now,
    )


@contextmanager
def _sent(client: Redis) -> Iterator[Sent]:
    """All commands that the server receives in the block, including those of scripts, with their arguments."""
    sent: Sent = []
    with client.monitor() as monitor:  # type: ignore[no-untyped-call]
        try:
            yield sent
        finally:
            client.echo("that is all")
            heard: Iterator[dict[str, Any]] = monitor.listen()
            for one in heard:
                if one["command"] == "ECHO that is all":
                    break
                sent.append(one["command"].split(" "))


def _assert_sent_exactly(user: str, sent: Sent, client: Redis) -> None:
    """Splits at spaces, which no command or key contains."""
    known = {name.decode() for name in client.execute_command("COMMAND LIST")}  # type: ignore[no-untyped-call]
    names = {_name(words, known) for words in sent}
    patterns = {re.sub(r"^(%R)?~", "", rule) for rule in rules_of(user) if "~" in rule}
    used = {pattern for pattern in patterns for words in sent if any(fnmatchcase(w, pattern) for w in words)}

    assert commands_of(user) - names <= _OF_CONNECTING | _ON_A_CLUSTER_ALONE | _ONLY_IF_SET | _UNHEARD
    assert patterns == used


def _name(words: list[str], known: set[str]) -> str:
    lower = [word.lower() for word in words[:2]]
    return both if (both := "|".join(lower)) in known else lower[0]
