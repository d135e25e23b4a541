"""Starts and stops the whole system as processes: Redis, the AWS emulator, and Dagster as in the demonstration.

The old system is left out, because it has no part in publishing.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import dagster as dg
from redis import Redis

from benchmarks.harness import Bench
from demo.dagster_services import CodeServer, Daemon, Webserver, write_dagster_home
from demo.postgres import PostgresServer
from demo.provision import AwsEndpoints, ProvisionedResources, announce_schedules, provision
from demo.servers import AwsEmulator, RedisServer
from demo.upstream import Upstream
from schedules_pipeline.connections import utc_now
from schedules_pipeline.upstream.clients import s3_client

POSTGRES, SQLITE = STORAGES = ("Postgres", "SQLite")
_REGION = "eu-west-1"


@dataclass(frozen=True, slots=True)
class Services:
    """Redis and the emulator, with the environment that names them, which this process has too."""

    redis: Redis
    redis_url: str
    endpoints: AwsEndpoints
    provisioned: ProvisionedResources
    upstream: Upstream
    environment: Mapping[str, str]

    def announce_schedules(self) -> None:
        """Make the bucket announce every later put."""
        announce_schedules(self.endpoints, self.provisioned)


@contextmanager
def running_services(bench: Bench) -> Iterator[Services]:
    """Both servers, provisioned and empty."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(bench.directory / "redis"))
        emulator = stack.enter_context(AwsEmulator(bench.emulator, bench.directory / "aws", region=_REGION))
        environment = _environment(redis.url, emulator.endpoint_url)
        stack.enter_context(_set(environment))
        endpoints = AwsEndpoints(emulator.endpoint_url, _REGION)
        provisioned = provision(endpoints)
        client = Redis.from_url(redis.url, protocol=2)
        upstream = Upstream(
            # Its pool has enough connections for loading.
            s3=s3_client(_REGION, emulator.endpoint_url),
            sns=endpoints.sns(),
            redis=client,
            topic_arn=provisioned.catalogue_events.topic_arn,
            clock=utc_now,
        )
        yield Services(client, redis.url, endpoints, provisioned, upstream, environment)


@contextmanager
def records_home(directory: Path, storage: str) -> Iterator[Mapping[str, str]]:
    """An empty instance of Dagster in ``directory``, with its records in one of :data:`STORAGES`.

    Yields the environment of every process that uses it.
    """
    with ExitStack() as stack:
        url = None
        if storage == POSTGRES:
            url = stack.enter_context(PostgresServer(directory / "postgres")).url
        yield write_dagster_home(directory / "dagster", url)


@contextmanager
def records_instance(directory: Path, storage: str) -> Iterator[dg.DagsterInstance]:
    """An empty instance for this process."""
    with (
        records_home(directory, storage) as environment,
        _set(environment),
        dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]) as instance,
    ):
        yield instance


class DagsterStack:
    """Dagster's processes with an empty instance in ``directory``. The daemon starts by a call."""

    def __init__(self, directory: Path, environment: Mapping[str, str], storage: str = POSTGRES) -> None:
        self._directory = directory
        self._environment = environment
        self._storage = storage
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            home = stack.enter_context(records_home(self._directory, self._storage))
            self._environment = {**self._environment, **home}
            code_server = stack.enter_context(CodeServer(self._directory, self._environment))
            self._workspace = code_server.write_workspace()
            self.webserver = stack.enter_context(
                Webserver(self._directory, self._environment, self._workspace, None)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_daemon(self) -> None:
        """Start the daemon, which runs sensors and backfills."""
        self._stack.enter_context(Daemon(self._directory, self._environment, self._workspace))


def _environment(redis_url: str, endpoint_url: str) -> dict[str, str]:
    return {
        "SCHEDULES_REDIS_URL": redis_url,
        "SCHEDULES_AWS_ENDPOINT_URL": endpoint_url,
        "SCHEDULES_AWS_REGION": _REGION,
        "SCHEDULES_RETENTION_DAYS": "0",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": _REGION,
    }


def _set(environment: Mapping[str, str]) -> AbstractContextManager[object]:
    """Set variables for this process's own clients, which read credentials from the environment."""
    stack = ExitStack()
    for name, value in environment.items():
        before = os.environ.get(name)
        os.environ[name] = value
        if before is None:
            stack.callback(os.environ.pop, name, None)
        else:
            stack.callback(os.environ.__setitem__, name, before)
    return stack
