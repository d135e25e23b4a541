"""The order in which the demonstration starts its servers, loads the sample, runs the coldstart, and narrates.

Everything listens on 127.0.0.1 and ends with this process.
"""

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from shutil import rmtree
from typing import TypeVar

from redis import Redis

from demo.console import Progress, say, utc_now
from demo.dagster_services import CodeServer, Daemon, Webserver, write_dagster_home
from demo.delivery_service import DeliveryService, PushService
from demo.monitoring_service import MonitoringService
from demo.narrator import Narrator
from demo.old_system_service import OldSystemService
from demo.opening import has_desktop, open_page
from demo.partner_side import (
    KEY_VARIABLE,
    enter_partner,
    example_of_today,
    first_steps,
    guide_address,
    subscribe,
)
from demo.playing import Player
from demo.postgres import PostgresServer
from demo.private_file import write_environment
from demo.provision import (
    AwsEndpoints,
    ProvisionedResources,
    announce_schedules,
    provision,
    provision_alarms,
    provision_buckets,
    provision_references,
)
from demo.scenarios import Scenario
from demo.servers import LOOPBACK, AwsEmulator, LoopbackServer, RedisServer, is_free
from demo.supervision import Supervisor
from demo.upstream import Upstream
from demo.webhook_receiver import WebhookReceiver
from schedules_pipeline.composition import Pipeline, Store
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.errors import ConfigurationError, ServiceError
from schedules_pipeline.maintenance.ports import Stage
from schedules_pipeline.push.subscription import SubscriptionKind
from schedules_pipeline.push.webhook_signature import derive_secret
from schedules_pipeline.settings import load_settings

WEB_PORT = 3000
DELIVERY_PORT = 8080

_REGION = "eu-west-1"
_COLDSTART_BEGINS_WITHIN_SECONDS = 120.0
_PARTNER_KNOWN_WITHIN_SECONDS = 30.0
_FILES_BUCKET = "schedules-files"
_STATE_BUCKET = "schedules-state"
_FILES_PREFIX = "to/demonstration"
_DELIVERY_VARIABLE = "SCHEDULES_DELIVERY_URL"
_DAGSTER_VARIABLE = "SCHEDULES_DAGSTER_URL"
_MASTER_SECRET = "SCHEDULES_WEBHOOK_MASTER_SECRET"

_Server = TypeVar("_Server", bound=LoopbackServer)
Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything runs. ``ports``: the requested ones of web, delivery, redis and aws; None means any.
    ``storage``: of Dagster's records, ``postgres`` or ``sqlite``.
    """

    directory: Path
    emulator: Path
    ports: Mapping[str, int | None]
    refresh_seconds: float
    opens_browser: bool
    storage: str


@dataclass(frozen=True, slots=True)
class PartnerAccess:
    """How the demonstration's partner reaches delivery. The address of the guide signs in once.

    ``variables``: what the partner's shell needs, secrets among it.
    """

    service: str
    guide: str
    variables: Environment


class Demonstration:
    """Starts everything in order; the stack stops it in the reverse order."""

    def __init__(self, scenario: Scenario, placement: Placement, stack: ExitStack) -> None:
        self._scenario = scenario
        self._placement = placement
        self._directory = placement.directory
        self._environment_file = placement.directory / "environment"
        self._stack = stack
        self._supervisor = Supervisor(say)

    def run(self) -> None:
        """Start, run the coldstart, then play the changes and narrate until the process is interrupted."""
        self._stack.enter_context(_sole_user_of(self._directory))
        rmtree(self._directory, ignore_errors=True)
        for line in self._scenario.introduction:
            say(line)
        endpoints, environment = self._start_servers()
        provisioned, environment = _provision_everything(endpoints, environment)
        pipeline = build_pipeline(load_settings())
        # Delivery starts first, so that the guide fills while the coldstart builds the schedules.
        access = self._open_delivery(pipeline.store, environment)
        write_environment(self._environment_file, {**environment, **access.variables})
        upstream = self._load(endpoints, provisioned, environment)
        webserver = self._start_dagster(pipeline, {**environment, _DELIVERY_VARIABLE: access.service})
        store = pipeline.store
        narrator = Narrator(store.feed, store.comparisons, store.incidents, say, utc_now)
        narrator.skip_to_now()
        receiver = self._start_push(store, environment, access)
        self._start(
            "old system", OldSystemService(self._directory, environment, self._placement.refresh_seconds)
        )
        monitoring = self._launch("monitoring", MonitoringService(self._directory, environment))
        self._print_first_steps(pipeline, access)
        self._print_addresses(environment, webserver, monitoring)
        check = self._supervisor.check
        Player(upstream, narrator, receiver, check, say, time.sleep).play(self._scenario)

    def _start_servers(self) -> tuple[AwsEndpoints, Environment]:
        """Start Redis and the emulator. Returns the environment that names them, which this process gets too."""
        ports, directory = self._placement.ports, self._directory
        redis = self._start(
            "Redis",
            RedisServer(
                directory / "redis",
                port=ports["redis"],
                port_setting="REDIS_PORT",
                extra_arguments=("--appendonly", "yes"),
            ),
        )
        emulator = self._start(
            "AWS emulator",
            AwsEmulator(
                self._placement.emulator,
                directory / "aws",
                port=ports["aws"],
                port_setting="AWS_PORT",
                region=_REGION,
            ),
        )
        environment = {
            "SCHEDULES_REDIS_URL": redis.url,
            "SCHEDULES_AWS_ENDPOINT_URL": emulator.endpoint_url,
            "SCHEDULES_AWS_REGION": _REGION,
            # The emulator's purge is complete when it answers.
            "SCHEDULES_PURGE_DELAY_SECONDS": "0",
            "SCHEDULES_FILES_BUCKET": _FILES_BUCKET,
            "SCHEDULES_PUSH_ALLOWED_NETWORKS": f'["{LOOPBACK}"]',
            "SCHEDULES_STATE_EXPORT_BUCKET": _STATE_BUCKET,
            **self._scenario.settings,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": _REGION,
            **write_dagster_home(directory / "dagster", self._start_records_database()),
        }
        return AwsEndpoints(emulator.endpoint_url, _REGION, "local", "local"), environment

    def _start_records_database(self) -> str | None:
        """Start Postgres for Dagster's records, as in production. None without: Dagster then uses SQLite."""
        if self._placement.storage == "sqlite":
            return None
        try:
            server = PostgresServer(self._directory / "postgres")
        except ConfigurationError as error:
            say(f"Dagster's records are in SQLite: {error}")
            return None
        return self._start("Postgres", server).url

    def _open_delivery(self, store: Store, environment: Environment) -> PartnerAccess:
        """Start delivery, create the partner, and open its guide in the browser of a desktop."""
        key = enter_partner(store.partners, utc_now()).text
        port = _preferred_port(self._placement.ports["delivery"], DELIVERY_PORT)
        environment = {**environment, **self._dagster_to_come()}
        delivery = self._start(
            "delivery", DeliveryService(self._directory, environment, port, "DELIVERY_PORT")
        )
        until = time.monotonic() + _PARTNER_KNOWN_WITHIN_SECONDS
        while not delivery.admits(key):
            if time.monotonic() > until:
                raise ServiceError(f"delivery does not admit its partner: see {delivery.log_path}")
            time.sleep(0.05)
        guide = guide_address(delivery.url, store.sign_ins, utc_now())
        say(f"the guide    {guide}")
        if self._placement.opens_browser and has_desktop(
            os.environ, sys.platform, is_terminal=sys.stdout.isatty()
        ):
            open_page(guide, self._directory)
        variables = {
            _DELIVERY_VARIABLE: delivery.url,
            KEY_VARIABLE: key,
            _MASTER_SECRET: secrets.token_hex(32),
        }
        return PartnerAccess(delivery.url, guide, variables)

    def _dagster_to_come(self) -> Environment:
        """Where the guide leads operators: Dagster starts later, on a port that is known unless it may be any."""
        port = _preferred_port(self._placement.ports["web"], WEB_PORT)
        return {_DAGSTER_VARIABLE: f"http://{LOOPBACK}:{port}"} if port else {}

    def _load(
        self, endpoints: AwsEndpoints, provisioned: ProvisionedResources, environment: Environment
    ) -> Upstream:
        """Write the opening state upstream. Only later changes are announced."""
        upstream = Upstream(
            s3=endpoints.s3(),
            sns=endpoints.sns(),
            redis=Redis.from_url(environment["SCHEDULES_REDIS_URL"]),
            topic_arn=provisioned.catalogue_events.topic_arn,
            clock=utc_now,
        )
        upstream.load(self._scenario.opening, on_progress=Progress("loading"))
        announce_schedules(endpoints, provisioned)
        return upstream

    def _start_dagster(self, pipeline: Pipeline, environment: Environment) -> Webserver:
        """Start Dagster. Its sensor ``coldstart_control`` finds an empty keyspace and begins a coldstart."""
        workspace = self._start("code server", CodeServer(self._directory, environment)).write_workspace()
        port = _preferred_port(self._placement.ports["web"], WEB_PORT)
        webserver = self._start("Dagster webserver", Webserver(self._directory, environment, workspace, port))
        self._start("Dagster daemon", Daemon(self._directory, environment, workspace))
        _wait_for_coldstart(pipeline, webserver, self._supervisor.check)
        return webserver

    def _start_push(self, store: Store, environment: Environment, access: PartnerAccess) -> WebhookReceiver:
        """Subscribe the partner to webhooks, which a receiver in this process takes, and to files."""
        receiver = self._stack.enter_context(WebhookReceiver(utc_now))
        webhook = subscribe(store, SubscriptionKind.WEBHOOK, receiver.url, utc_now)
        master = access.variables[_MASTER_SECRET]
        receiver.trust(derive_secret(master.encode(), webhook, webhook.generation))
        subscribe(store, SubscriptionKind.FILES, _FILES_PREFIX, utc_now)
        self._start("pusher", PushService(self._directory, {**environment, _MASTER_SECRET: master}))
        return receiver

    def _print_first_steps(self, pipeline: Pipeline, access: PartnerAccess) -> None:
        today = utc_now().astimezone(pipeline.calendar.zone).date()
        heads = pipeline.store.feed.heads()
        example = example_of_today([key for key, change in heads.items() if not change.is_removal], today)
        say("")
        for line in first_steps(access.service, access.guide, self._environment_file, example):
            say(line)
        say("")

    def _print_addresses(
        self, environment: Environment, webserver: Webserver, monitoring: MonitoringService
    ) -> None:
        say(f"Dagster      {webserver.url}  (lineage, runs, partitions, checks)")
        say(f"Redis        {environment['SCHEDULES_REDIS_URL']}")
        say(f"S3 and SQS   {environment['SCHEDULES_AWS_ENDPOINT_URL']}")
        say(f"files        s3://{_FILES_BUCKET}/{_FILES_PREFIX}/  (pushed files, on that S3)")
        say(f"metrics      {monitoring.url}/metrics  (and /health/live, /health/ready)")
        say(f"logs         {self._directory}")
        say(f"status       . {self._environment_file}; .venv/bin/schedules-pipeline status")
        say("Ctrl-C stops everything.")
        say("")

    def _start(self, what: str, server: _Server) -> _Server:
        began = time.monotonic()
        self._stack.enter_context(server)
        say(f"{what} started in {time.monotonic() - began:.1f} s")
        self._supervisor.watch(what, server, in_memory=isinstance(server, AwsEmulator))
        return server

    def _launch(self, what: str, server: _Server) -> _Server:
        """Start a server that nothing else waits for, such as one that may be slow to answer."""
        self._stack.callback(server.stop)
        server.launch()
        self._supervisor.watch(what, server, is_starting=True)
        return server


def _provision_everything(
    endpoints: AwsEndpoints, environment: Environment
) -> tuple[ProvisionedResources, Environment]:
    """Create all AWS resources, and give this process the complete environment of the pipeline."""
    # boto3's clients in this process read their credentials from the environment.
    os.environ.update(environment)
    provisioned = provision(endpoints)
    provision_references(endpoints, load_settings().references_table)
    provision_buckets(endpoints, _FILES_BUCKET, _STATE_BUCKET)
    topic = {"SCHEDULES_ALARM_TOPIC_ARN": provision_alarms(endpoints).topic_arn}
    os.environ.update(topic)
    return provisioned, {**environment, **topic}


def _wait_for_coldstart(pipeline: Pipeline, webserver: Webserver, check_servers: Callable[[], None]) -> None:
    show = Progress("coldstart")
    until = time.monotonic() + _COLDSTART_BEGINS_WITHIN_SECONDS
    while (latest := pipeline.store.coldstarts.latest()) is None or not latest.stage.is_final:
        if latest is None and time.monotonic() > until:
            raise ConfigurationError(f"no coldstart has begun: see {webserver.url}/automation")
        if latest is not None and latest.total:
            show(latest.done, latest.total)
        check_servers()
        time.sleep(0.25)
    if latest.stage is not Stage.FINISHED:
        raise ConfigurationError(f"the coldstart was {latest.stage}: {latest.problem}")
    show(latest.total, latest.total)
    say("coldstart: every schedule is published; Dagster records them for another while")


def _preferred_port(requested: int | None, usual: int) -> int | None:
    """The requested port, which must be free; else the usual one if it is free; else None, which means any."""
    if requested is not None:
        return requested
    return usual if is_free(usual) else None


@contextmanager
def _sole_user_of(directory: Path) -> Iterator[None]:
    """Lock the directory for the length of the block. Raises ConfigurationError if another process holds it."""
    with directory.with_suffix(".lock").open("a+") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise ConfigurationError(_explain(directory, lock.read())) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, since {utc_now().astimezone():%H:%M:%S}")
        lock.flush()
        yield


def _explain(directory: Path, holder: str) -> str:
    return (
        f"a demonstration runs in this checkout already ({holder or 'just started'}; its files are in {directory}).\n"
        f"- To use it: its addresses are in {directory}/environment, and in the terminal that it runs in.\n"
        "- To end it: Ctrl-C in that terminal, or `kill` and its process id.\n"
        "- To run another beside it: name other files by `.venv/bin/python -m demo --directory .run-2`, or use "
        "another checkout."
    )
