"""Clients of AWS, with the limits that the adapters rely on. Credentials come from AWS's default chain."""

from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from schedules_pipeline.upstream.bucket import FETCHED_SIDE_BY_SIDE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_LONGEST_POLL_SECONDS = 20
_QUEUE_CONNECTIONS = 10
"""A publisher polls two queues, and deletes messages at the same time."""


def s3_client(region: str, endpoint_url: str | None) -> "S3Client":
    config = _config(4, max_pool_connections=FETCHED_SIDE_BY_SIDE)
    client: S3Client = _client("s3", region, endpoint_url, config)
    return client


def files_client(region: str, endpoint_url: str | None, threads: int) -> "S3Client":
    """Gives up within :data:`~schedules_pipeline.push.ports.FILE_STORE_TIMEOUT`."""
    config = _config(2, max_pool_connections=threads, connect_timeout=5, read_timeout=10)
    client: S3Client = _client("s3", region, endpoint_url, config)
    return client


def sqs_client(region: str, endpoint_url: str | None) -> "SQSClient":
    """Waits for an answer longer than the longest poll lasts."""
    config = _config(3, read_timeout=_LONGEST_POLL_SECONDS + 10, max_pool_connections=_QUEUE_CONNECTIONS)
    client: SQSClient = _client("sqs", region, endpoint_url, config)
    return client


def watching_sqs_client(region: str, endpoint_url: str | None) -> "SQSClient":
    """Gives up soon, so that a queue that does not answer delays no other check."""
    config = _config(2, connect_timeout=3, read_timeout=5)
    client: SQSClient = _client("sqs", region, endpoint_url, config)
    return client


def sns_client(region: str, endpoint_url: str | None) -> "SNSClient":
    """Gives up soon. The health watch sends the same notice again later."""
    config = _config(2, connect_timeout=3, read_timeout=5)
    client: SNSClient = _client("sns", region, endpoint_url, config)
    return client


def _client(service: str, region: str, endpoint_url: str | None, config: Config) -> Any:
    """A client with a session of its own, because a session is not safe between threads."""
    session = Session()
    session.register_component("data_loader", _service_descriptions())
    return session.create_client(service, region_name=region, endpoint_url=endpoint_url, config=config)


@cache
def _service_descriptions() -> Loader:
    """Read once in a process. A session would read megabytes of JSON for its first client, and each client has one."""
    return create_loader()


def _config(attempts: int, **limits: Any) -> Config:
    return Config(retries={"mode": "standard", "max_attempts": attempts}, **limits)
