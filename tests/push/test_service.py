"""The process that pushes: who has a turn when, that one who hangs holds up nobody, and how it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any

import orjson
import pytest
from builders import a_change
from push_stage import EPOCH, HOOK, KEY, OTHER, PushStage
from pydantic import SecretStr
from redis import Redis
from structlog.testing import capture_logs

from demo.servers import LOOPBACK, RedisServer
from schedules_pipeline.connections import redis_store
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ConfigurationError, ServiceError
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.push.__main__ import feed_cursor, require_settings
from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.service import PushService
from schedules_pipeline.push.subscription import Progress, Subscription, SubscriptionKind
from schedules_pipeline.settings import Settings
from schedules_pipeline.store.link import RedisLink

_PATIENCE_SECONDS = 30
_MASTER = "a master secret that is no secret at all"


@pytest.fixture
def stage() -> PushStage:
    made = PushStage()
    made.subscribe_webhook()
    return made


@pytest.fixture
def service(stage: PushStage) -> Iterator[PushService]:
    """Two threads; stopped in the end, whatever happened."""
    made = PushService(stage.pusher, threads=2)
    yield made
    made.stop()
    made.run()


def _settle(service: PushService) -> None:
    """Look until every turn that was begun has ended."""
    service.check()
    for future in [*service._turns.values()]:
        future.exception(_PATIENCE_SECONDS)
    service.check()


def test_what_is_behind_has_a_turn(stage: PushStage, service: PushService) -> None:
    """And what is not has none."""
    stage.publish(KEY)

    with capture_logs() as lines:
        _settle(service)

    assert stage.receiver.data() == [(str(KEY), 1)]
    assert [(line["event"], line["delivered"]) for line in lines] == [("delivered", 1)]
    assert not service._turns


def test_a_look_leaves_a_pulse(stage: PushStage, service: PushService) -> None:
    """Also where nobody is to be told of anything."""
    service.check()

    assert stage.store.heartbeats.all() == {DeliveryProcess.PUSHER: stage.clock()}


def test_one_that_hangs_holds_up_no_other(stage: PushStage, service: PushService) -> None:
    """While one receiver does not answer, another is told."""
    let_go, arrived = Event(), Event()
    deaf = replace(stage.standing().subscription, name="deaf", target="https://deaf.example.org")
    stage.store.subscriptions.create(deaf, Progress("0", EPOCH))
    arrive = stage.receiver._arrive

    def hang(url: str, headers: dict[str, str], body: bytes) -> Answer:
        if "deaf" in url:
            let_go.wait(_PATIENCE_SECONDS)
        else:
            arrived.set()
        return arrive(url, headers, body)

    stage.receiver._arrive = hang  # type: ignore[method-assign]
    stage.publish(KEY)

    service.check()
    is_told = arrived.wait(_PATIENCE_SECONDS)
    is_hanging = not service._turns["deaf"].done()
    let_go.set()

    assert is_told
    assert is_hanging


def test_no_two_turns_at_one(stage: PushStage, service: PushService) -> None:
    """While a turn goes on, looking again begins no other."""
    let_go = Event()
    arrive = stage.receiver._arrive

    def hang(url: str, headers: dict[str, str], body: bytes) -> Answer:
        let_go.wait(_PATIENCE_SECONDS)
        return arrive(url, headers, body)

    stage.receiver._arrive = hang  # type: ignore[method-assign]
    stage.publish(KEY)
    service.check()
    under_way = service._turns[HOOK]

    service.check()

    assert service._turns == {HOOK: under_way}
    let_go.set()


def test_one_that_is_held_is_left_alone_for_a_while(stage: PushStage, service: PushService) -> None:
    """Nothing is asked of it again and again while partners are not served by us."""
    stage.store.coldstarts._epoch = None
    stage.publish(KEY)
    _settle(service)

    service.check()
    is_left_alone = not service._turns
    stage.wait(seconds=5)
    service.check()

    assert is_left_alone
    assert HOOK in service._turns


@pytest.mark.parametrize(
    ("answer", "event"), [(Answer(500), "delivery failed"), (Answer(410), "subscription quarantined")]
)
def test_a_failure_is_a_line_of_the_log(
    stage: PushStage, service: PushService, answer: Answer, event: str
) -> None:
    """With its name and its problem, and without its address."""
    stage.publish(KEY)
    stage.receiver.answers = [answer]

    with capture_logs() as lines:
        _settle(service)

    assert [line["event"] for line in lines] == [event]
    assert "push.example.org" not in str(lines)
    assert str(answer.status) in lines[0]["problem"]


def test_a_defect_in_one_turn_ends_nothing(stage: PushStage, service: PushService) -> None:
    """It is told with what it was, and the subscription has another turn after a while."""

    def break_down(url: str, headers: dict[str, str], body: bytes) -> Answer:
        raise KeyError("nobody foresaw this")

    arrive, stage.receiver._arrive = stage.receiver._arrive, break_down  # type: ignore[method-assign]
    stage.publish(KEY)

    with capture_logs() as lines:
        _settle(service)
    stage.receiver._arrive = arrive  # type: ignore[method-assign]
    stage.wait(minutes=2)
    _settle(service)

    assert [line["event"] for line in lines] == ["turn failed"]
    assert stage.receiver.data() == [(str(KEY), 1)]


def test_a_store_that_is_away_is_waited_for(stage: PushStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and goes on when the store is back."""
    service = PushService(stage.pusher, threads=1)
    checks = []

    def check() -> Any:
        checks.append(1)
        if len(checks) == 1:
            raise ServiceError("Redis: away")
        service.stop()
        return PushService.check(service)

    monkeypatch.setattr("schedules_pipeline.push.service._CHECK_EVERY_SECONDS", 0.01)
    service.check = check  # type: ignore[method-assign]

    with capture_logs() as lines:
        service.run()

    assert len(checks) == 2
    assert lines[0]["event"] == "nothing is pushed"


def test_a_kind_without_its_setting_is_rejected_at_once(stage: PushStage) -> None:
    """The process ends before it does anything, and names what is missing."""
    store = stage.store.as_store()
    with pytest.raises(ConfigurationError, match="SCHEDULES_WEBHOOK_MASTER_SECRET"):
        require_settings(Settings(), store)

    stage.subscribe_files()

    with pytest.raises(ConfigurationError, match="SCHEDULES_FILES_BUCKET"):
        require_settings(Settings(webhook_master_secret=SecretStr(_MASTER)), store)


def test_without_subscriptions_nothing_is_missing() -> None:
    """Where nobody is to be told, no setting is needed."""
    require_settings(Settings(), PushStage().store.as_store())


class _Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.received: Queue[dict[str, Any]] = Queue()


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        self.server.received.put(orjson.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Not to the terminal."""


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    server = _Receiver()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_real_process_tells_what_is_published(
    redis_server: RedisServer, redis_client: Redis, receiver: _Receiver, tmp_path: Path
) -> None:
    """Changes from before it began and while it waits reach a real receiver, and it ends when it is told to."""
    keyspace, now = "pushed", datetime.now(UTC)
    store = redis_store(RedisLink(redis_client), keyspace)
    store.coldstarts.begin_epoch(EPOCH)
    store.partners.create(Partner("harbour", now, is_preview=True))
    url = f"http://{LOOPBACK}:{receiver.server_port}/in"
    made = Subscription(HOOK, "harbour", SubscriptionKind.WEBHOOK, url, now)
    store.subscriptions.create(made, Progress("0", EPOCH))
    environment = {
        **os.environ,
        "SCHEDULES_REDIS_URL": redis_server.url,
        "SCHEDULES_KEYSPACE": keyspace,
        "SCHEDULES_WEBHOOK_MASTER_SECRET": _MASTER,
        "SCHEDULES_PUSH_HEARTBEAT_FILE": str(tmp_path / "beat"),
    }
    _append(store.feed, KEY, 1, now)

    process = subprocess.Popen(
        [sys.executable, "-m", "schedules_pipeline.push"], env=environment, stderr=subprocess.PIPE
    )
    try:
        first = receiver.received.get(timeout=_PATIENCE_SECONDS)
        _append(store.feed, OTHER, 1, now)
        second = receiver.received.get(timeout=_PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=_PATIENCE_SECONDS)
    finally:
        process.kill()

    assert [event["data"]["sid"] for event in (first, second)] == [KEY.sid, OTHER.sid]
    assert process.returncode == 0
    assert (tmp_path / "beat").exists()
    assert [orjson.loads(line)["event"] for line in log.splitlines()][-1] == "stopped"
    standing = store.subscriptions.one(HOOK)
    assert standing is not None
    assert standing.progress.position == store.feed.last_position()
    assert first["data"]["cursor"] == feed_cursor(EPOCH, store.feed.read_after("0", 1)[0].position)


def _append(feed: Any, key: ScheduleKey, seq: int, now: datetime) -> None:
    row = a_change(key, seq, published_at=now + timedelta(seconds=seq))
    feed.append([(key, seq, render_row(row))])
