"""The main job on one machine: real Redis, an AWS emulator, Dagster, the old system, and changes that never end.

``python -m schedules_pipeline.local`` starts everything on loopback, coldstarts through Dagster, then sends the
changes of an invented broadcaster, or replays a recorded history, or shows an XMLTV guide, and narrates what is
published. All that it starts ends with it.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import partial
from itertools import chain, count
from pathlib import Path
from random import Random
from shlex import quote
from shutil import rmtree
from types import FrameType
from typing import TypeVar

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from redis import Redis
from redis.exceptions import RedisError

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.domain.printable import printable
from schedules_pipeline.errors import ConfigurationError, PipelineError, ServiceError
from schedules_pipeline.local.dagster_services import (
    CodeServer,
    Daemon,
    Webserver,
)
from schedules_pipeline.local.guides import describe, import_rules, read_guide
from schedules_pipeline.local.history import (
    CatalogueUpdated,
    HistoryEvent,
    SchedulePut,
    paced,
    read_history,
)
from schedules_pipeline.local.monitoring_service import MonitoringService
from schedules_pipeline.local.narrator import Narrator, clock_time
from schedules_pipeline.local.provision import (
    AwsEndpoints,
    announce_schedules,
    provision,
    provision_alarms,
    provision_references,
)
from schedules_pipeline.local.sample import Sample, make_sample
from schedules_pipeline.local.servers import (
    AwsEmulator,
    LoopbackServer,
    RedisServer,
    is_free,
)
from schedules_pipeline.local.traffic import Change, Traffic
from schedules_pipeline.local.upstream import Upstream
from schedules_pipeline.ports.coldstart import Stage
from schedules_pipeline.settings import load_settings

REPOSITORY = Path(__file__).parents[2]
_REGION = "eu-west-1"
_WEB_PORT = 3000
_COLDSTART_BEGINS_WITHIN_SECONDS = 120.0
_OPENING = timedelta(hours=1)
"""How much of a recorded history is there before the replay begins, so that there is something to coldstart."""
_LONGEST_VARIABLE = 100_000
"""Characters. The system takes some 131,000; the names of more services than that are guessed."""

_Server = TypeVar("_Server", bound=LoopbackServer)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is upstream at the beginning, and what changes: each change with how long to wait before it.
    ``settings``: what the pipeline's environment has to say besides, for this to be shown. ``at_the_end`` is said
    after the last change.
    """

    opening: Sample
    changes: Iterator[tuple[float, Change]]
    first_date: date
    settings: Mapping[str, str] = field(default_factory=dict)
    at_the_end: str = "That was the last change; what is still published is shown until Ctrl-C."


def invented(now: datetime, changes_per_minute: float) -> Scenario:
    """Fourteen days of an invented broadcaster from the day before yesterday, and a change every few seconds."""
    first = now.date() - timedelta(days=2)
    sample = make_sample(first)
    traffic = Traffic(sample, Random(now.date().toordinal())).changes(_utc_now)
    pauses = Random(1)
    changes = ((pauses.expovariate(changes_per_minute / 60), change) for change in traffic)
    first_date = min(day for _, day in sample.schedules)
    # The days on which the clocks change may be months ago.
    keep_all = {"SCHEDULES_RETENTION_DAYS": str((now.date() - first_date).days)}
    return Scenario(sample, changes, first_date, keep_all)


def recorded(path: Path, speed: float, now: datetime) -> Scenario:
    """A recorded history: its first hour is the opening, the rest is replayed so many times as fast."""
    events = read_history(path)
    first = next(events)
    opening = Sample({}, {})
    later: Iterator[HistoryEvent] = iter(())
    for event in chain([first], events):
        if event.at >= first.at + _OPENING:
            later = chain([event], events)
            break
        _put(opening, event)
    # What was recorded long ago is past every horizon.
    keep_everything = {"SCHEDULES_RETENTION_DAYS": "0"}
    first_date = first.at.date() - timedelta(days=1)
    return Scenario(opening, _replay(later, speed, now), first_date, keep_everything)


def imported(path: Path, now: datetime) -> Scenario:
    """An XMLTV guide, of whatever dates: all of it is there at the beginning, and nothing changes."""
    guide = read_guide(path, import_rules(load_settings()), now)
    for line in describe(guide):
        _say(line)
    days = sorted(day for _, day in guide.schedules)
    settings = {
        "SCHEDULES_RETENTION_DAYS": "0",
        "SCHEDULES_DAYS_AHEAD": str(min(max((days[-1] - now.date()).days + 1, 35), 400)),
    }
    names = orjson.dumps(guide.names).decode()
    if len(names) < _LONGEST_VARIABLE:
        settings["SCHEDULES_SERVICE_NAMES"] = names
    return Scenario(
        Sample(guide.catalogue, guide.schedules),
        iter(()),
        days[0] - timedelta(days=1),
        settings,
        "Nothing changes by itself in a guide that was imported; it is shown until Ctrl-C.",
    )


def _put(sample: Sample, event: HistoryEvent) -> None:
    match event:
        case CatalogueUpdated(pid=pid):
            sample.catalogue[pid] = event.document
        case SchedulePut(sid=sid, date=day):
            sample.schedules[sid, day] = event.document


def _replay(events: Iterator[HistoryEvent], speed: float, now: datetime) -> Iterator[tuple[float, Change]]:
    previous = now
    for due_at, event in paced(events, speed, now):
        yield (due_at - previous).total_seconds(), _change(event)
        previous = due_at


def _change(event: HistoryEvent) -> Change:
    match event:
        case CatalogueUpdated(pid=pid, type=kind):
            return Change(f"recorded {event.at:%d %b %H:%M}: {kind} {pid}", {pid: event.document}, {})
        case SchedulePut(sid=sid, date=day):
            text = f"recorded {event.at:%d %b %H:%M}: schedule {sid}/{day}"
            return Change(text, {}, {(sid, day): event.document})
    raise TypeError(f"no such event: {event!r}")


class Demonstration:
    """Everything that runs, in the order in which it starts; the stack takes it down in the reverse order."""

    def __init__(self, scenario: Scenario, options: argparse.Namespace, stack: ExitStack) -> None:
        self._scenario = scenario
        self._options = options
        self._stack = stack
        self._directory = options.directory.resolve()
        self._environment: dict[str, str] = {}

    def run(self) -> None:
        """Start, coldstart, then narrate until interrupted or until the changes end."""
        self._stack.enter_context(_sole_user_of(self._directory))
        rmtree(self._directory, ignore_errors=True)
        upstream = self._start_upstreams()
        pipeline = build_pipeline(load_settings())
        webserver = self._start_dagster()
        narrator = Narrator(
            pipeline.store.feed, pipeline.store.comparisons, pipeline.store.alarms, _say, _utc_now
        )
        self._coldstart(webserver, pipeline)
        narrator.skip_to_now()
        self._start_old_system()
        monitoring = self._start("monitoring", MonitoringService(self._directory, self._environment))
        _say("")
        _say(f"Dagster      {webserver.url}  (lineage, runs, partitions, checks)")
        _say(f"Redis        {self._environment['SCHEDULES_REDIS_URL']}")
        _say(f"S3 and SQS   {self._environment['SCHEDULES_AWS_ENDPOINT_URL']}")
        _say(f"metrics      {monitoring.url}/metrics  (and /health/live, /health/ready)")
        _say(f"logs         {self._directory}")
        _say(f"look at it   . {self._write_environment()}; .venv/bin/schedules-pipeline status")
        _say("Ctrl-C stops everything.")
        _say("")
        self._play(upstream, narrator)

    def _start_upstreams(self) -> Upstream:
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
            "SCHEDULES_PURGE_SETTLES_SECONDS": "0",
            "SCHEDULES_FIRST_DATE": self._scenario.first_date.isoformat(),
            **self._scenario.settings,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": _REGION,
            "DAGSTER_HOME": str(self._directory / "dagster"),
        }
        # This process's own clients read their credentials where boto3 always looks.
        os.environ.update(self._environment)
        endpoints = AwsEndpoints(emulator.endpoint_url, _REGION, "local", "local")
        provisioned = provision(endpoints)
        provision_references(endpoints, load_settings().references_table)
        topic = {"SCHEDULES_ALARM_TOPIC_ARN": provision_alarms(endpoints).topic_arn}
        self._environment |= topic
        os.environ.update(topic)
        upstream = Upstream(
            s3=endpoints.s3(),
            sns=endpoints.sns(),
            redis=Redis.from_url(redis.url),
            topic_arn=provisioned.catalogue_events.topic_arn,
            clock=_utc_now,
        )
        upstream.load(self._scenario.opening, on_progress=_Progress("loading"))
        announce_schedules(endpoints, provisioned)
        return upstream

    def _write_environment(self) -> Path:
        """The environment that the command line needs to find all this."""
        path: Path = self._directory / "environment"
        write_environment(path, self._environment)
        return path

    def _start_dagster(self) -> Webserver:
        home = Path(self._environment["DAGSTER_HOME"])
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
        code_server = self._start("code server", CodeServer(self._directory, self._environment))
        self._workspace = code_server.write_workspace()
        return self._start(
            "Dagster webserver",
            Webserver(self._directory, self._environment, self._workspace, self._web_port()),
        )

    def _web_port(self) -> int | None:
        """The usual port if it is free; one that was asked for must be."""
        if self._options.web_port is not None:
            return int(self._options.web_port)
        return _WEB_PORT if is_free(_WEB_PORT) else None

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
            "old system", OldSystem(self._directory, self._environment, self._options.refresh_seconds)
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
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.25))

    def _start(self, what: str, server: _Server) -> _Server:
        began = time.monotonic()
        self._stack.enter_context(server)
        _say(f"{what} started in {time.monotonic() - began:.1f} s")
        return server


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


def write_environment(path: Path, environment: Mapping[str, str]) -> None:
    """Write what a shell reads by ``. path``; nobody else may read it, since it holds credentials."""
    lines = "".join(f"export {name}={quote(value)}\n" for name, value in environment.items())
    path.unlink(missing_ok=True)
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(lines)


class OldSystem(LoopbackServer):
    """The old generator, as a process; it listens on nothing."""

    def __init__(self, directory: Path, environment: Mapping[str, str], refresh_seconds: float) -> None:
        super().__init__("old-system", directory, None, "", 30.0)
        self._given_environment = environment
        self._refresh_seconds = refresh_seconds

    def _command(self, port: int) -> list[str]:
        env = self._given_environment
        options = [
            "--redis-url",
            env["SCHEDULES_REDIS_URL"],
            "--s3-endpoint",
            env["SCHEDULES_AWS_ENDPOINT_URL"],
        ]
        pause = ["--interval-seconds", str(self._refresh_seconds)]
        return [sys.executable, "-m", "schedules_pipeline.local.old_system", *options, *pause]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return {**os.environ, **self._given_environment}

    def _is_ours(self, port: int, pid: int) -> bool:
        return True


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
    parser = argparse.ArgumentParser(prog="schedules_pipeline.local", description=__doc__)
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
    parser.add_argument("--redis-port", type=int, help="of Redis; any free one if left out")
    parser.add_argument("--aws-port", type=int, help="of the AWS emulator; any free one if left out")
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
