"""What tests of any room may ask for: a real Redis server, a Redis Cluster and the AWS emulator, started when
first needed. Tests that ask for the cluster belong to the group "cluster", so that one run makes one.

Where a server's program is missing, its tests are skipped at home and fail where ``CI`` is set.
"""

import gc
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import hypothesis
import pytest
import sqlalchemy
import structlog
import yaml
from redis import Redis

from demo.postgres import PostgresServer
from demo.provision import (
    REFERENCES_TABLE,
    AwsEndpoints,
    ProvisionedResources,
    provision,
    provision_references,
)
from demo.redis_cluster import Cluster, running_cluster
from demo.servers import AwsEmulator, RedisServer, bundled_redis
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.store.dynamodb import dynamodb_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_REPOSITORY = Path(__file__).parent.parent

# A deadline would time an example, and the machine that runs it may be busy.
hypothesis.settings.register_profile("untimed", deadline=None)
# For ``make quick``: ``--hypothesis-profile quick``.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=5)
hypothesis.settings.load_profile("untimed")


_SERVERS = {"redis_executable", "emulator_executable", "postgres_server"}


def pytest_configure() -> None:
    """Log tracebacks without local variables: structlog's default takes seconds to format those of one defect.

    A shell starts a background process with SIGINT ignored. Dagster gives SIGTERM the handler of SIGINT after each
    run within the process, so programs that a later test starts would ignore SIGTERM, too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test whose fixtures start a server, so that ``-m "not server"`` leaves it out."""
    for item in items:
        if _SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("server")


def pytest_collection_finish() -> None:
    """Keep what lasts as long as the run, some million objects, out of each collection of garbage."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let the interpreter free everything when it ends; some libraries complain of what is left."""
    gc.unfreeze()


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def redis_executable() -> Path:
    """The server named by ``SCHEDULES_REDIS_SERVER``, otherwise the bundled one."""
    named = os.environ.get("SCHEDULES_REDIS_SERVER")
    if named:
        if not Path(named).is_file():
            _give_up(f"SCHEDULES_REDIS_SERVER names {named}, which is not there")
        return Path(named)
    try:
        return bundled_redis()
    except ConfigurationError as error:
        _give_up(str(error))


@pytest.fixture(scope="session")
def emulator_executable() -> Path:
    """The console script named by ``SCHEDULES_EMULATOR``, otherwise the repository's own."""
    executable = Path(os.environ.get("SCHEDULES_EMULATOR", _REPOSITORY / ".venv-emulator/bin/ministack"))
    if not executable.is_file():
        _give_up(f"no AWS emulator at {executable}: install it there, or name it in SCHEDULES_EMULATOR")
    return executable


@pytest.fixture(scope="session")
def redis_server(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis server of this run's own."""
    with RedisServer(tmp_path_factory.mktemp("redis"), executable=redis_executable) as server:
        yield server


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[Redis]:
    """A client of the run's own Redis server, which is empty before and after the test."""
    # Only a server that this run started, so all of its data may be deleted.
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A Postgres server of this run's own."""
    try:
        server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    except ConfigurationError as error:
        _give_up(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def dagsters_tables(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with Dagster's empty tables: to copy it is faster than to make them."""
    # To import Dagster takes seconds, which pure tests need not wait for.
    import dagster  # noqa: PLC0415

    name, home = "with_tables", tmp_path_factory.mktemp("dagster")
    _create_database(postgres_server, name)
    storage = {"postgres": {"postgres_url": postgres_server.url_of(name)}}
    (home / "dagster.yaml").write_text(yaml.safe_dump({"storage": storage, "telemetry": {"enabled": False}}))
    with dagster.DagsterInstance.from_config(str(home)) as instance:
        instance.get_run_records(limit=1)
        instance.all_asset_keys()
        instance.all_instigator_state()
    return name


@pytest.fixture
def postgres_url(
    postgres_server: PostgresServer, dagsters_tables: str, account_numbers: Iterator[int]
) -> str:
    """The address of a new database with Dagster's empty tables."""
    name = f"of_test_{next(account_numbers)}"
    _create_database(postgres_server, f"{name} TEMPLATE {dagsters_tables}")
    return postgres_server.url_of(name)


def _create_database(server: PostgresServer, what: str) -> None:
    engine = sqlalchemy.create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {what}"))
    engine.dispose()


@pytest.fixture(scope="session")
def cluster(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Redis Cluster of this run's own: three masters, no replicas."""
    with running_cluster(redis_executable, lambda: tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def emulator(emulator_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEmulator]:
    """An AWS emulator of this run's own; what tests create there stays until the run ends."""
    with AwsEmulator(emulator_executable, tmp_path_factory.mktemp("emulator")) as server:
        yield server


@pytest.fixture(scope="session")
def account_numbers() -> Iterator[int]:
    """Numbers of AWS accounts that are unused in this run."""
    return itertools.count(1)


@pytest.fixture
def aws_endpoints(emulator: AwsEmulator, account_numbers: Iterator[int]) -> AwsEndpoints:
    """The emulator as an account of the test's own: it sees no queue or topic of another test."""
    # The emulator takes an access key of twelve digits for the account's number.
    account = f"{next(account_numbers):012}"
    return AwsEndpoints(emulator.endpoint_url, emulator.region, access_key_id=account)


@pytest.fixture(scope="session")
def references_table(emulator: AwsEmulator, account_numbers: Iterator[int]) -> tuple["DynamoDBClient", str]:
    """A client made as the real ones are, and the name of a table for back-references, of an account of its own."""
    account = AwsEndpoints(
        emulator.endpoint_url, emulator.region, access_key_id=f"{next(account_numbers):012}"
    )
    provision_references(account)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", str(account.access_key_id))
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        client = dynamodb_client(emulator.region, emulator.endpoint_url)
        # Credentials are looked up at the first request.
        client.describe_table(TableName=REFERENCES_TABLE)
    return client, REFERENCES_TABLE


@pytest.fixture
def provisioned(aws_endpoints: AwsEndpoints) -> ProvisionedResources:
    """Bucket, topics and queues of the test's own; the bucket announces nothing yet."""
    # Names of buckets are shared by all accounts.
    return provision(aws_endpoints, bucket=f"source-{aws_endpoints.access_key_id}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long each real fault took to be made good; the tests note it as the property ``fault``."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    faults = list(dict.fromkeys(tuple(value) for name, value in properties if name == "fault"))
    failovers = list(dict.fromkeys(tuple(value) for name, value in properties if name == "failover"))
    if failovers:
        terminalreporter.section("time after a failover")
        terminalreporter.write_line(f"{'failover':64}{'until noticed':>14}{'until right':>17}")
        for name, noticed, right in failovers:
            terminalreporter.write_line(f"{name:64}{noticed:12.1f} s{right:15.1f} s")
    if faults:
        terminalreporter.section("time to recover")
        terminalreporter.write_line(f"{'fault':64}{'until mended':>14}{'until caught up':>17}")
        for name, mended, caught_up in faults:
            terminalreporter.write_line(f"{name:64}{mended:12.1f} s{caught_up:15.1f} s")
