"""The push process: which subscription gets a turn, isolation of receivers that hang, and the end of the process."""

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
from push_stage import EPOCH, HOOK, KEY, OTHER, PushStage, cursor_at
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
from schedules_pipeline.push.__main__ import require_settings
from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.service import PushService
from schedules_pipeline.push.subscription import Progress, Subscription, SubscriptionKind
from schedules_pipeline.settings import Settings
from schedules_pipeline.store.link import RedisLink

_PATIENCE_SECONDS = 30
_MASTER = "a master secret that is no secret at all"
_SIGNED_TO_LOOPBACK = {
    "SCHEDULES_WEBHOOK_MASTER_SECRET": _MASTER,
    "SCHEDULES_PUSH_ALLOWED_NETWORKS": '["127.0.0.1"]',
}


@pytest.fixture
def stage() -> PushStage:
    made = PushStage()
    made.subscribe_webhook()
    return made


@pytest.fixture
def service(stage: PushStage) -> Iterator[PushService]:
    """With two threads; stopped at the end of the test."""
    made = PushService(stage.pusher, threads=2)
    yield made
    made.stop()
    made.run()


def _run_turns(service: PushService) -> None:
    """Check, wait until every turn has ended, and check again."""
    service.check()
    for future in [*service._turns.values()]:
        future.exception(_PATIENCE_SECONDS)
    service.check()


def test_a_subscription_with_pending_changes_gets_a_turn(stage: PushStage, service: PushService) -> None:
    """Afterwards no turn is running."""
    stage.publish(KEY)

    with capture_logs() as lines:
        _run_turns(service)

    assert stage.receiver.data() == [(str(KEY), 1)]
    assert [(line["event"], line["delivered"]) for line in lines] == [("delivered", 1)]
    assert not service._turns


def test_a_check_writes_a_heartbeat(stage: PushStage, service: PushService) -> None:
    """Even without a change to deliver."""
    service.check()

    assert stage.store.heartbeats.all() == {DeliveryProcess.PUSHER: stage.clock()}


def test_a_receiver_that_hangs_delays_no_other(stage: PushStage, service: PushService) -> None:
    """While one receiver does not answer, another gets its change."""
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


def test_a_subscription_has_one_turn_at_a_time(stage: PushStage, service: PushService) -> None:
    """A check during a turn begins no second one."""
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


def test_an_unserved_subscription_is_skipped_for_a_while(stage: PushStage, service: PushService) -> None:
    """After a turn without service, the next one begins five seconds later."""
    stage.store.coldstarts.current_epoch = None
    stage.publish(KEY)
    _run_turns(service)

    service.check()
    is_left_alone = not service._turns
    stage.wait(seconds=5)
    service.check()

    assert is_left_alone
    assert HOOK in service._turns


@pytest.mark.parametrize(
    ("answer", "event"), [(Answer(500), "delivery failed"), (Answer(410), "subscription quarantined")]
)
def test_a_failure_is_logged(stage: PushStage, service: PushService, answer: Answer, event: str) -> None:
    """The log line has the subscription and its problem, and not its address."""
    stage.publish(KEY)
    stage.receiver.answers = [answer]

    with capture_logs() as lines:
        _run_turns(service)

    assert [line["event"] for line in lines] == [event]
    assert "push.example.org" not in str(lines)
    assert str(answer.status) in lines[0]["problem"]


def test_an_unexpected_error_ends_only_its_turn(stage: PushStage, service: PushService) -> None:
    """It is logged, and the subscription gets another turn later."""

    def break_down(url: str, headers: dict[str, str], body: bytes) -> Answer:
        raise KeyError("unexpected")

    arrive, stage.receiver._arrive = stage.receiver._arrive, break_down  # type: ignore[method-assign]
    stage.publish(KEY)

    with capture_logs() as lines:
        _run_turns(service)
    stage.receiver._arrive = arrive  # type: ignore[method-assign]
    stage.wait(minutes=2)
    _run_turns(service)

    assert [line["event"] for line in lines] == ["turn failed"]
    assert stage.receiver.data() == [(str(KEY), 1)]


def test_the_process_survives_a_store_that_does_not_answer(
    stage: PushStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It logs the error, and continues once the store answers."""
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


def test_a_missing_setting_is_reported_at_the_start(stage: PushStage) -> None:
    """The error names the setting that the subscriptions need."""
    store = stage.store.as_store()
    with pytest.raises(ConfigurationError, match="SCHEDULES_WEBHOOK_MASTER_SECRET"):
        require_settings(Settings(), store)

    stage.subscribe_files()

    with pytest.raises(ConfigurationError, match="SCHEDULES_FILES_BUCKET"):
        require_settings(Settings(webhook_master_secret=SecretStr(_MASTER)), store)


def test_without_subscriptions_no_setting_is_needed() -> None:
    """The same settings are enough for an empty store."""
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
        """Keep the terminal quiet."""


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    server = _Receiver()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_real_process_delivers_changes(
    redis_server: RedisServer, redis_client: Redis, receiver: _Receiver, tmp_path: Path
) -> None:
    """Changes from before its start and while it waits reach a real receiver, and a signal ends it."""
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
        **_SIGNED_TO_LOOPBACK,
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
    assert first["data"]["cursor"] == cursor_at(store.feed.read_after("0", 1)[0].position)


def _append(feed: Any, key: ScheduleKey, seq: int, now: datetime) -> None:
    row = a_change(key, seq, published_at=now + timedelta(seconds=seq))
    feed.append([(key, seq, render_row(row))])
