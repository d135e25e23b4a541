"""The whole system as real processes: Dagster's code server and daemon, Redis with an append-only file, and the AWS
emulator behind a proxy. An upstream keeps changing its documents during every fault.

The catalogue has a Redis of its own, because in production it belongs to another team: faults do not strike it.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event, Thread

import dagster as dg
import orjson
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from faults.processes import CodeServerOnPort, kill_group, pid_of_run, receivers_of
from faults.proxy import Behaviour, Proxy
from from_scratch import Contents, contents, find_missing_entries, replay_feed
from redis import Redis

from demo.dagster_services import CodeServer, Daemon
from demo.provision import AwsEndpoints, announce_schedules, provision
from demo.sample import make_sample
from demo.servers import AwsEmulator, LoopbackServer, RedisServer, find_free_port
from demo.upstream import Upstream
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.counters import Counter
from schedules_pipeline.settings import Settings

_REPOSITORY = Path(__file__).parents[2]
_PATIENCE_SECONDS = 180.0
_LOOK_EVERY_SECONDS = 0.05
_LOOK_CLOSELY_EVERY_SECONDS = 0.002
_A_CHANGE_EVERY_SECONDS = 0.3
_VISIBILITY_SECONDS = 15
_ACCOUNT = "000000000001"


class World:
    """The current documents of the upstream, and a thread that keeps changing and announcing them."""

    def __init__(self, upstream: Upstream) -> None:
        # Whole days to come: older ones are past the horizon, and in the evening a broadcast less is a held loss.
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        sample = make_sample(tomorrow, days=3, clock_change_days=False)
        upstream.load(sample)
        self.changes = 0
        self._upstream = upstream
        self._catalogue = dict(sample.catalogue)
        self._full = {ScheduleKey(Sid(sid), on): document for (sid, on), document in sample.schedules.items()}
        self._schedules = dict(self._full)
        self._brands = [item for item in sample.catalogue.values() if item["type"] == "brand"]
        self._random = Random(0)
        self._is_over = Event()

    @property
    def keys(self) -> list[ScheduleKey]:
        return list(self._schedules)

    @property
    def pids(self) -> list[Pid]:
        return [Pid(pid) for pid in self._catalogue]

    def sources(self) -> FakeUpstreams:
        """The same documents in memory, for a build from nothing."""
        sources = fake_upstreams(FakeClock(), Random(0))
        for key, document in self._schedules.items():
            sources.schedule_source.put(key, orjson.dumps(document))
        for pid, document in self._catalogue.items():
            sources.catalogue_source.documents[Pid(pid)] = orjson.dumps(document)
        return sources

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Make changes until the block ends."""
        self._is_over.clear()
        thread = Thread(target=self._go_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join(_PATIENCE_SECONDS)
            assert not thread.is_alive(), "the upstream hangs"

    def _go_on(self) -> None:
        while not self._is_over.wait(_A_CHANGE_EVERY_SECONDS):
            if self._random.random() < 0.7:
                self.retitle()
            else:
                self._recast(self._random.choice(self.keys))
                self.changes += 1

    def retitle(self) -> None:
        """Give one of the brands another title."""
        brand = self._random.choice(self._brands)
        changed = {**brand, "title": f"Title {self.changes}"}
        self.changes += 1
        self._catalogue[brand["pid"]] = changed
        _insist(lambda: self._upstream.put_catalogue(changed))

    def _recast(self, key: ScheduleKey) -> None:
        """Put the schedule without its last broadcast, or with it again."""
        full = self._full[key]
        was_full = len(self._schedules[key]["broadcasts"]) == len(full["broadcasts"])
        changed = {**full, "broadcasts": full["broadcasts"][: -1 if was_full else None]}
        self._schedules[key] = changed
        _insist(lambda: self._upstream.put_schedule(key.sid, key.date, changed))


class Stack:
    """All processes. Their addresses stay the same for the life of the stack, also after restarts."""

    def __init__(self, stack: ExitStack, directory: Path, redis: Path, emulator: Path) -> None:
        self._stack = stack
        self._directory = directory
        self._redis_executable = redis
        self._redis_port, self._code_port = find_free_port(), find_free_port()
        self.redis = self._start_redis()
        catalogue = stack.enter_context(RedisServer(directory / "catalogue", executable=redis))
        self.emulator = stack.enter_context(AwsEmulator(emulator, directory / "emulator"))
        self.proxy = stack.enter_context(Proxy(self.emulator.port))
        endpoints = AwsEndpoints(self.emulator.endpoint_url, self.emulator.region, _ACCOUNT)
        self.world = self._provide(endpoints, catalogue)
        self.settings = self._write_settings(catalogue.url)
        # What the test asks does not go through the proxy.
        direct = {"SCHEDULES_AWS_ENDPOINT_URL": self.emulator.endpoint_url}
        self.pipeline = _pipeline({**self.settings, **direct})
        self._publish_everything()
        self.instance = dg.DagsterInstance.from_config(self.settings["DAGSTER_HOME"])
        stack.callback(self.instance.dispose)
        self.code_server = self._start_code_server()
        self._workspace = self.code_server.write_workspace()
        self.daemon = self._start_daemon()
        stack.callback(self._stop_all)

    # Faults

    def kill_publisher(self) -> None:
        """``kill -9`` the process of the run that publishes."""
        pid = self.publisher_pid()
        self._stop_in_the_middle(lambda number: os.kill(pid, number))
        os.kill(pid, signal.SIGKILL)

    def kill_receiver(self) -> None:
        """``kill -9`` the process in which the publisher receives."""
        os.kill(self.receiver_pid(), signal.SIGKILL)

    def kill_publisher_before_deletion(self) -> None:
        """``kill -9`` it and the process in which it receives, when that has marked a schedule, and the message that
        said so is still in its queue.
        """
        queue, counters = self.pipeline.upstreams.schedule_queue, self.pipeline.store.counters
        deleted = counters.all()[Counter.SCHEDULE_MESSAGES_RECEIVED]

        def is_between() -> bool:
            nonlocal deleted
            received = counters.all()[Counter.SCHEDULE_MESSAGES_RECEIVED]
            if queue.depth().in_flight:
                return received > deleted
            deleted = received
            return False

        publisher, receiver = self.publisher_pid(), self.receiver_pid()
        self._stop_when(is_between, lambda number: os.kill(receiver, number))
        for pid in (receiver, publisher):
            os.kill(pid, signal.SIGKILL)

    def kill_daemon(self) -> None:
        """``kill -9`` the daemon and start another, as a supervisor would."""
        kill_group(self.daemon)
        self.daemon = self._start_daemon()

    def kill_code_server(self) -> None:
        """``kill -9`` the code server and all its runs, as when a container dies, and start another."""
        self._stop_in_the_middle(lambda number: os.killpg(self.code_server.pid, number))
        kill_group(self.code_server)
        self.code_server = self._start_code_server()

    def kill_redis(self) -> None:
        """``kill -9`` Redis during a publication, and restart it with the same port and append-only file."""
        pid = self.publisher_pid()
        self._stop_in_the_middle(lambda number: os.kill(pid, number))
        kill_group(self.redis)
        os.kill(pid, signal.SIGCONT)
        self.redis = self._start_redis()

    @contextmanager
    def out_of_memory(self) -> Iterator[None]:
        """Redis accepts no writes while the block lasts."""
        with Redis.from_url(self.redis.url) as client:
            client.config_set("maxmemory", "1mb")
            try:
                yield
            finally:
                client.config_set("maxmemory", "0")

    @contextmanager
    def standing_still(self, server: LoopbackServer) -> Iterator[None]:
        """The process is stopped while the block lasts: it accepts connections and does not answer."""
        os.kill(server.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(server.pid, signal.SIGCONT)

    @contextmanager
    def behaving(self, behaviour: Behaviour) -> Iterator[None]:
        """The network to AWS behaves badly while the block lasts."""
        self.proxy.behaviour, struck = behaviour, self.proxy.struck
        try:
            yield
            wait_until(lambda: self.proxy.struck > struck + 2, "nobody noticed the proxy")
        finally:
            self.proxy.behaviour = Behaviour.PASS

    # Questions

    def wait_for_changes(self, count: int) -> None:
        """Return when the upstream has made this many more changes."""
        wanted = self.world.changes + count
        wait_until(lambda: self.world.changes >= wanted, "the upstream stands still")

    def wait_for_the_middle(self) -> None:
        """Return when some changes are published, others are not, and schedules are being built."""
        before = self._versions()
        wait_until(lambda: self._versions() > before, "nothing is published")
        wait_until(
            lambda: self.pipeline.store.work.backlog().in_progress > 0,
            "nothing is in progress",
            _LOOK_CLOSELY_EVERY_SECONDS,
        )

    def wait_until_caught_up(self, expected: Contents) -> None:
        """Return when partners see the expected schedules and nothing is pending."""
        keys = self.world.keys
        wait_until(lambda: self._is_idle() and contents(self.pipeline.store, keys) == expected, self._why_not)

    def assert_sound(self) -> None:
        """No change is lost, no schedule is quarantined, no version is announced twice, and the index is complete."""
        store, upstreams = self.pipeline.store, self.pipeline.upstreams
        assert store.work.quarantined() == {}
        assert upstreams.schedule_dead_letters.depth().waiting == 0
        assert upstreams.catalogue_dead_letters.depth().waiting == 0
        assert find_missing_entries(store, self.world.keys, self.world.pids) == []
        published = {key: state.seq for key, state in store.schedules.read(self.world.keys).items()}
        assert {key: change.seq for key, change in replay_feed(store).items()} == published

    def _stop_in_the_middle(self, send: Callable[[signal.Signals], None]) -> None:
        """Signal the publisher at a moment at which it has schedules in progress."""
        self._stop_when(lambda: self.pipeline.store.work.backlog().in_progress > 0, send)

    def _stop_when(self, is_the_moment: Callable[[], bool], send: Callable[[signal.Signals], None]) -> None:
        def is_stopped() -> bool:
            send(signal.SIGSTOP)
            if is_the_moment():
                return True
            send(signal.SIGCONT)
            return False

        wait_until(is_stopped, "the moment does not come", _LOOK_CLOSELY_EVERY_SECONDS)

    def _is_idle(self) -> bool:
        queues = (self.pipeline.upstreams.schedule_queue, self.pipeline.upstreams.catalogue_queue)
        depths = [queue.depth() for queue in queues]
        no_message = not any(depth.waiting or depth.in_flight for depth in depths)
        return no_message and self.pipeline.store.work.backlog().is_empty

    def _why_not(self) -> str:
        queues = (self.pipeline.upstreams.schedule_queue, self.pipeline.upstreams.catalogue_queue)
        return f"not caught up: {[q.depth() for q in queues]}, {self.pipeline.store.work.backlog()}"

    def _versions(self) -> int:
        return sum(change.seq for change in self.pipeline.store.feed.heads().values())

    def publisher_pid(self) -> int:
        return pid_of_run(self.instance, self.pipeline.store.presence.present().recorder)

    def receiver_pid(self) -> int:
        """The process that the publisher has started to receive."""
        pid = self.publisher_pid()
        wait_until(lambda: bool(receivers_of(pid)), "no process receives")
        return receivers_of(pid)[0]

    # Parts

    def _start_redis(self) -> RedisServer:
        options = ["--appendonly", "yes", "--appendfsync", "always"]
        return RedisServer(
            self._directory / "redis",
            port=self._redis_port,
            executable=self._redis_executable,
            extra_arguments=options,
        ).__enter__()

    def _start_code_server(self) -> CodeServer:
        return CodeServerOnPort(self._directory, self.settings, self._code_port).__enter__()

    def _start_daemon(self) -> Daemon:
        return Daemon(self._directory, self.settings, self._workspace).__enter__()

    def _stop_all(self) -> None:
        for process in (self.daemon, self.code_server, self.redis):
            process.__exit__(None, None, None)

    def _provide(self, endpoints: AwsEndpoints, catalogue: RedisServer) -> World:
        provisioned = provision(endpoints, bucket="source")
        for channel in (provisioned.schedule_events, provisioned.catalogue_events):
            endpoints.sqs().set_queue_attributes(
                QueueUrl=channel.queue_url, Attributes={"VisibilityTimeout": str(_VISIBILITY_SECONDS)}
            )
        upstream = Upstream(
            s3=endpoints.s3(),
            sns=endpoints.sns(),
            redis=Redis.from_url(catalogue.url),
            topic_arn=provisioned.catalogue_events.topic_arn,
            clock=lambda: datetime.now(UTC),
            bucket=provisioned.bucket,
        )
        world = World(upstream)
        announce_schedules(endpoints, provisioned)
        return world

    def _write_settings(self, catalogue_url: str) -> dict[str, str]:
        home = self._directory / "dagster"
        home.mkdir()
        (home / "dagster.yaml").write_text((_REPOSITORY / "dagster.yaml").read_text())
        return {
            "SCHEDULES_REDIS_URL": self.redis.url,
            "SCHEDULES_CATALOGUE_REDIS_URL": catalogue_url,
            "SCHEDULES_LEGACY_REDIS_URL": catalogue_url,
            "SCHEDULES_AWS_ENDPOINT_URL": self.proxy.url,
            "SCHEDULES_AWS_REGION": self.emulator.region,
            "SCHEDULES_SCHEDULE_BUCKET": "source",
            # The upstream leaves out last broadcasts, which in the evening are most of the airtime to come.
            "SCHEDULES_SMALLEST_AIRTIME_SHARE": "0",
            "AWS_ACCESS_KEY_ID": _ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "local",
            "DAGSTER_HOME": str(home),
        }

    def _publish_everything(self) -> None:
        """Run a coldstart here, or the store without one would cause an automatic coldstart."""
        self.pipeline.coldstarter.work_at("opening", "the test", 0, lambda _: None)
        feed = self.pipeline.store.feed
        while entries := feed.take_unrecorded("the test", 500):
            feed.confirm_recorded([entry.position for entry in entries])


@contextmanager
def running_stack(directory: Path, redis: Path, emulator: Path) -> Iterator[Stack]:
    """Start everything with all schedules published, and stop it at the end."""
    with ExitStack() as stack:
        yield Stack(stack, directory, redis, emulator)


def wait_until(
    is_true: Callable[[], bool],
    otherwise: str | Callable[[], str],
    every_seconds: float = _LOOK_EVERY_SECONDS,
) -> None:
    """Poll until it is true."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _is_true(is_true):
        if time.monotonic() > deadline:
            pytest.fail(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(every_seconds)


def _is_true(is_true: Callable[[], bool]) -> bool:
    """An error counts as not true yet."""
    with suppress(ServiceError):
        return is_true()
    return False


def _insist(put: Callable[[], None]) -> None:
    """Announce until the queue accepts the message, as an upstream does."""
    while True:
        with suppress(BotoCoreError, ClientError):
            return put()


def _pipeline(variables: Mapping[str, str]) -> Pipeline:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        return build_pipeline(Settings())
