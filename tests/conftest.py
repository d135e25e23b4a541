"""What tests of any room may ask for: a real Redis server and the AWS emulator, started when first needed.

Where a server's program is missing, its tests are skipped at home and fail where ``CI`` is set.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest
from redis import Redis

from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.local.provision import AwsEndpoints, Provisioned, provision
from schedules_pipeline.local.servers import AwsEmulator, RedisServer, bundled_redis

_REPOSITORY = Path(__file__).parent.parent

# A deadline would time an example, and the machine that runs it may be busy.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


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
    # Only ever a server that this run started: whatever it holds may go.
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture(scope="session")
def emulator(emulator_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEmulator]:
    """An AWS emulator of this run's own; what tests create there stays until the run ends."""
    with AwsEmulator(emulator_executable, tmp_path_factory.mktemp("emulator")) as server:
        yield server


@pytest.fixture(scope="session")
def account_numbers() -> Iterator[int]:
    """Numbers of AWS accounts that nobody has used in this run."""
    return itertools.count(1)


@pytest.fixture
def aws_endpoints(emulator: AwsEmulator, account_numbers: Iterator[int]) -> AwsEndpoints:
    """The emulator as an account of the test's own: it sees no queue or topic of another test."""
    # The emulator takes an access key of twelve digits for the account's number.
    account = f"{next(account_numbers):012}"
    return AwsEndpoints(emulator.endpoint_url, emulator.region, access_key_id=account)


@pytest.fixture
def provisioned(aws_endpoints: AwsEndpoints) -> Provisioned:
    """Bucket, topics and queues of the test's own; the bucket announces nothing yet."""
    # Names of buckets are shared by all accounts.
    return provision(aws_endpoints, bucket=f"source-{aws_endpoints.access_key_id}")
