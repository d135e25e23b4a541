"""The main job on one machine: real Redis, an AWS emulator, Dagster, the old system, and changes that never end.

``python -m demo`` starts everything on loopback, coldstarts through Dagster, then sends the
changes of an invented broadcaster, or replays a recorded history, or shows an XMLTV guide, and narrates what is
published, and what a partner is told of it. All that it starts ends with it.
"""

import argparse
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import partial
from itertools import count
from pathlib import Path
from shutil import rmtree
from types import FrameType
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from redis import Redis
from redis.exceptions import RedisError

from demo.dagster_services import CodeServer, Daemon, Webserver
from demo.delivery_service import DeliveryService, PushService
from demo.monitoring_service import MonitoringService
from demo.narrator import Narrator, clock_time
from demo.old_system_service import OldSystemService
from demo.opening import has_desktop, open_page
from demo.partner_side import (
    KEY_VARIABLE,
    describe_received,
    enter_partner,
    first_steps,
    one_of_today,
    subscribe,
)
from demo.private_file import write_environment
from demo.provision import (
    AwsEndpoints,
    announce_schedules,
    provision,
    provision_alarms,
    provision_files,
    provision_references,
)
from demo.scenarios import Scenario, imported, invented, recorded
from demo.servers import AwsEmulator, LoopbackServer, RedisServer, is_free
from demo.upstream import Upstream
from demo.webhook_receiver import WebhookReceiver
from schedules_pipeline.composition import Pipeline, Store
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.domain.printable import printable
from schedules_pipeline.errors import ConfigurationError, PipelineError, ServiceError
from schedules_pipeline.maintenance.ports.coldstart import Stage
from schedules_pipeline.push.subscription import SubscriptionKind
from schedules_pipeline.push.webhook_signature import derive_secret
from schedules_pipeline.settings import load_settings

REPOSITORY = Path(__file__).parents[1]
_REGION = "eu-west-1"
_WEB_PORT = 3000
_COLDSTART_BEGINS_WITHIN_SECONDS = 120.0
_DELIVERY_PORT = 8080
_PARTNER_KNOWN_WITHIN_SECONDS = 30.0
_FILES_BUCKET = "schedules-files"
_FILES_PREFIX = "to/demonstration"

_Server = TypeVar("_Server", bound=LoopbackServer)


class Demonstration:
    """Everything that runs, in the order in which it starts; the stack takes it down in the reverse order."""

    def __init__(self, scenario: Scenario, options: argparse.Namespace, stack: ExitStack) -> None:
        self._scenario = scenario
        self._options = options
        self._stack = stack
        self._directory = options.directory.resolve()
        self._environment: dict[str, str] = {}
        self._secrets: dict[str, str] = {}

    def run(self) -> None:
        """Start, coldstart, then narrate until interrupted or until the changes end."""
        self._stack.enter_context(_sole_user_of(self._directory))
        rmtree(self._directory, ignore_errors=True)
        for line in self._scenario.introduction:
            _say(line)
        endpoints = self._start_servers()
        pipeline = build_pipeline(load_settings())
        # The first that is up: whoever looks sees schedules arrive while the coldstart builds them.
        self._open_delivery(pipeline.store)
        upstream = self._load(endpoints)
        webserver = self._start_dagster()
        narrator = Narrator(
            pipeline.store.feed, pipeline.store.comparisons, pipeline.store.incidents, _say, _utc_now
        )
        self._coldstart(webserver, pipeline)
        narrator.skip_to_now()
        self._begin_to_push(pipeline.store)
        self._start_old_system()
        monitoring = self._start("monitoring", MonitoringService(self._directory, self._environment))
        self._say_where_everything_is(pipeline, webserver, monitoring)
        self._play(upstream, narrator)

    def _say_where_everything_is(
        self, pipeline: Pipeline, webserver: Webserver, monitoring: MonitoringService
    ) -> None:
        today = _utc_now().astimezone(pipeline.calendar.zone).date()
        heads = pipeline.store.feed.heads()
        example = one_of_today([key for key, change in heads.items() if not change.is_removal], today)
        _say("")
        for line in first_steps(self._delivery.url, self._guide, self._write_environment(), example):
            _say(line)
        _say("")
        _say(f"Dagster      {webserver.url}  (lineage, runs, partitions, checks)")
        _say(f"Redis        {self._environment['SCHEDULES_REDIS_URL']}")
        _say(f"S3 and SQS   {self._environment['SCHEDULES_AWS_ENDPOINT_URL']}")
        _say(f"files        s3://{_FILES_BUCKET}/{_FILES_PREFIX}/  (of collectors, on that S3)")
        _say(f"metrics      {monitoring.url}/metrics  (and /health/live, /health/ready)")
        _say(f"logs         {self._directory}")
        _say(f"look at it   . {self._write_environment()}; .venv/bin/schedules-pipeline status")
        _say("Ctrl-C stops everything.")
        _say("")

    def _start_servers(self) -> AwsEndpoints:
        redis = self._start(
            "Redis",
            RedisServer(self._directory / "redis", port=self._options.redis_port, port_setting="REDIS_PORT"),
        )
        emulator = self._start(
            "AWS emulator",
            AwsEmulator(
                self._options.emulator,
                self._directory / "aws",
                port=self._options.aws_port,
                port_setting="AWS_PORT",
                region=_REGION,
            ),
        )
        self._environment = {
            "SCHEDULES_REDIS_URL": redis.url,
            "SCHEDULES_AWS_ENDPOINT_URL": emulator.endpoint_url,
            "SCHEDULES_AWS_REGION": _REGION,
            # The emulator's purge is over when it answers.
            "SCHEDULES_PURGE_DELAY_SECONDS": "0",
            "SCHEDULES_FIRST_DATE": self._scenario.first_date.isoformat(),
            "SCHEDULES_FILES_BUCKET": _FILES_BUCKET,
            **self._scenario.settings,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": _REGION,
            "DAGSTER_HOME": str(self._directory / "dagster"),
        }
        # This process's own clients read their credentials where boto3 always looks.
        os.environ.update(self._environment)
        return AwsEndpoints(emulator.endpoint_url, _REGION, "local", "local")

    def _open_delivery(self, store: Store) -> None:
        """Serve, let the partner in, and show its guide."""
        key = enter_partner(store.partners, _utc_now()).text
        self._secrets = {KEY_VARIABLE: key, "SCHEDULES_WEBHOOK_MASTER_SECRET": secrets.token_hex(32)}
        port = _wanted_port(self._options.delivery_port, _DELIVERY_PORT)
        self._delivery = self._start(
            "delivery", DeliveryService(self._directory, self._environment, port, "DELIVERY_PORT")
        )
        until = time.monotonic() + _PARTNER_KNOWN_WITHIN_SECONDS
        while not self._delivery.knows(key):
            if time.monotonic() > until:
                raise ServiceError(f"delivery does not let its partner in: see {self._delivery.log_path}")
            time.sleep(0.05)
        self._guide = f"{self._delivery.url}/sign-in#key={key}"
        _say(f"the guide    {self._guide}")
        if not self._options.no_open and has_desktop(
            os.environ, sys.platform, is_terminal=sys.stdout.isatty()
        ):
            open_page(self._guide, self._directory)

    def _begin_to_push(self, store: Store) -> None:
        """Tell the partner of every change from now on, by webhooks that are shown here, and by files."""
        self._receiver = self._stack.enter_context(WebhookReceiver(_utc_now))
        webhook = subscribe(store, SubscriptionKind.WEBHOOK, self._receiver.url, _utc_now)
        master = self._secrets["SCHEDULES_WEBHOOK_MASTER_SECRET"]
        self._receiver.trust(derive_secret(master.encode(), webhook, webhook.generation))
        subscribe(store, SubscriptionKind.FILES, _FILES_PREFIX, _utc_now)
        environment = {**self._environment, "SCHEDULES_WEBHOOK_MASTER_SECRET": master}
        self._start("pusher", PushService(self._directory, environment))

    def _load(self, endpoints: AwsEndpoints) -> Upstream:
        """Put the opening upstream; from then on each change is announced."""
        provisioned = provision(endpoints)
        provision_references(endpoints, load_settings().references_table)
        provision_files(endpoints, _FILES_BUCKET)
        topic = {"SCHEDULES_ALARM_TOPIC_ARN": provision_alarms(endpoints).topic_arn}
        self._environment |= topic
        os.environ.update(topic)
        upstream = Upstream(
            s3=endpoints.s3(),
            sns=endpoints.sns(),
            redis=Redis.from_url(self._environment["SCHEDULES_REDIS_URL"]),
            topic_arn=provisioned.catalogue_events.topic_arn,
            clock=_utc_now,
        )
        upstream.load(self._scenario.opening, on_progress=_Progress("loading"))
        announce_schedules(endpoints, provisioned)
        return upstream

    def _write_environment(self) -> Path:
        """The environment for the command line and for a partner's requests."""
        path: Path = self._directory / "environment"
        address = {"SCHEDULES_DELIVERY_URL": self._delivery.url}
        write_environment(path, {**self._environment, **address, **self._secrets})
        return path

    def _start_dagster(self) -> Webserver:
        home = Path(self._environment["DAGSTER_HOME"])
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
        code_server = self._start("code server", CodeServer(self._directory, self._environment))
        self._workspace = code_server.write_workspace()
        port = _wanted_port(self._options.web_port, _WEB_PORT)
        return self._start(
            "Dagster webserver",
            Webserver(self._directory, self._environment, self._workspace, port),
        )

    def _coldstart(self, webserver: Webserver, pipeline: Pipeline) -> None:
        """Start the daemon; its sensor ``coldstart_control`` finds the keyspace empty, and begins by itself."""
        self._start("Dagster daemon", Daemon(self._directory, self._environment, self._workspace))
        show = _Progress("coldstart")
        until = time.monotonic() + _COLDSTART_BEGINS_WITHIN_SECONDS
        while (latest := pipeline.store.coldstarts.latest()) is None or not latest.stage.is_final:
            if latest is None and time.monotonic() > until:
                raise ConfigurationError(f"no coldstart has begun: look at {webserver.url}/automation")
            if latest is not None and latest.total:
                show(latest.done, latest.total)
            time.sleep(0.25)
        if latest.stage is not Stage.FINISHED:
            raise ConfigurationError(f"the coldstart was {latest.stage}: {latest.problem}")
        show(latest.total, latest.total)
        _say("coldstart: everything is published; Dagster goes on recording it for a while")

    def _start_old_system(self) -> None:
        self._start(
            "old system", OldSystemService(self._directory, self._environment, self._options.refresh_seconds)
        )

    def _play(self, upstream: Upstream, narrator: Narrator) -> None:
        for wait, change in self._scenario.changes:
            self._narrate_for(wait, narrator)
            _say(f"{clock_time(_utc_now())}  change     {change.description}")
            insist(partial(upstream.apply, change), _say, time.sleep)
        _say(self._scenario.at_the_end)
        while True:
            self._narrate_for(1.0, narrator)

    def _narrate_for(self, seconds: float, narrator: Narrator) -> None:
        until = time.monotonic() + seconds
        while True:
            insist(narrator.catch_up, _say, time.sleep)
            if line := describe_received(self._receiver.take()):
                _say(f"{clock_time(_utc_now())}  webhook    {line}")
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.25))

    def _start(self, what: str, server: _Server) -> _Server:
        began = time.monotonic()
        self._stack.enter_context(server)
        _say(f"{what} started in {time.monotonic() - began:.1f} s")
        return server


def _wanted_port(asked_for: int | None, usual: int) -> int | None:
    """The usual port if it is free, else None for any; one that was asked for must be free."""
    if asked_for is not None:
        return asked_for
    return usual if is_free(usual) else None


@contextmanager
def _sole_user_of(directory: Path) -> Iterator[None]:
    """Hold the directory for as long as the block lasts; two demonstrations must not share one."""
    with directory.with_suffix(".lock").open("w") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"another demonstration is using {directory}: stop it, or give another one by --directory"
            ) from error
        yield


class _Progress:
    """Prints a line whenever another tenth is done."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if tenth > self._shown:
            self._shown = tenth
            _say(f"{self._what}: {done} of {total}")


def insist(act: Callable[[], object], say: Callable[[str], None], pause: Callable[[float], None]) -> None:
    """Do it, again and again while Redis or the emulator does not answer: somebody may be trying that out, and
    what dies here takes everything with it. The first refusal is said, and so is that it is over.
    """
    for attempt in count():
        try:
            act()
        except (ServiceError, RedisError, BotoCoreError, ClientError) as error:
            if not attempt:
                say(
                    f"{clock_time(_utc_now())}  no answer  {printable(str(error))}; trying again until there is"
                )
            pause(1.0)
        else:
            if attempt:
                say(f"{clock_time(_utc_now())}  answers    again")
            return


def _say(line: str) -> None:
    print(line, flush=True)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--replay", type=Path, help="a recorded history (gzipped JSON lines) instead of the sample"
    )
    instead.add_argument("--xmltv", type=Path, help="an XMLTV guide, gzipped or not, instead of the sample")
    parser.add_argument(
        "--speed", type=float, default=600.0, help="how many times as fast a history is replayed"
    )
    parser.add_argument("--changes-per-minute", type=float, default=20.0, help="of the invented broadcaster")
    parser.add_argument(
        "--refresh-seconds", type=float, default=20.0, help="pause between the old system's passes"
    )
    parser.add_argument("--web-port", type=int, help=f"of the Dagster UI; {_WEB_PORT} if free, else any")
    parser.add_argument("--delivery-port", type=int, help=f"of delivery; {_DELIVERY_PORT} if free, else any")
    parser.add_argument("--redis-port", type=int, help="of Redis; any free one if left out")
    parser.add_argument("--aws-port", type=int, help="of the AWS emulator; any free one if left out")
    parser.add_argument("--no-open", action="store_true", help="leave the browser alone")
    parser.add_argument(
        "--directory", type=Path, default=REPOSITORY / ".run", help="for logs and Dagster's records"
    )
    parser.add_argument(
        "--emulator",
        type=Path,
        default=REPOSITORY / ".venv-emulator/bin/ministack",
        help="the emulator's program",
    )
    return parser.parse_args(words)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(words: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM; 0 then, and 1 with one clear line where something could not start."""
    options = _parse_arguments(words)
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        now = _utc_now()
        if options.replay is not None:
            scenario = recorded(options.replay, options.speed, now)
        elif options.xmltv is not None:
            scenario = imported(options.xmltv, now)
        else:
            scenario = invented(now, options.changes_per_minute)
        with ExitStack() as stack:
            try:
                Demonstration(scenario, options, stack).run()
            finally:
                _say("stopping everything that was started")
    except KeyboardInterrupt:
        _say("stopped")
        return 0
    except (PipelineError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
