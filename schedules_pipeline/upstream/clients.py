"""Clients of AWS, with the limits that the adapters rely on. Credentials come from AWS's default chain."""

from typing import TYPE_CHECKING, Any

from boto3.session import Session
from botocore.config import Config

from schedules_pipeline.upstream.bucket import FETCHED_SIDE_BY_SIDE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_LONGEST_POLL_SECONDS = 20
_QUEUE_CONNECTIONS = 20
"""A publisher polls two queues four times each, and deletes messages meanwhile."""


def s3_client(region: str, endpoint_url: str | None) -> "S3Client":
    config = _config(4, max_pool_connections=FETCHED_SIDE_BY_SIDE)
    return Session().client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


def files_client(region: str, endpoint_url: str | None, threads: int) -> "S3Client":
    """Gives up within :data:`~schedules_pipeline.push.ports.FILE_STORE_TIMEOUT`."""
    config = _config(2, max_pool_connections=threads, connect_timeout=5, read_timeout=10)
    return Session().client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


def sqs_client(region: str, endpoint_url: str | None) -> "SQSClient":
    """Waits for an answer longer than the longest poll lasts."""
    config = _config(3, read_timeout=_LONGEST_POLL_SECONDS + 10, max_pool_connections=_QUEUE_CONNECTIONS)
    return Session().client("sqs", region_name=region, endpoint_url=endpoint_url, config=config)


def watching_sqs_client(region: str, endpoint_url: str | None) -> "SQSClient":
    """Gives up soon, so that a queue that does not answer delays no other check."""
    config = _config(2, connect_timeout=3, read_timeout=5)
    return Session().client("sqs", region_name=region, endpoint_url=endpoint_url, config=config)


def sns_client(region: str, endpoint_url: str | None) -> "SNSClient":
    """Gives up soon. The health watch sends the same notice again later."""
    config = _config(2, connect_timeout=3, read_timeout=5)
    return Session().client("sns", region_name=region, endpoint_url=endpoint_url, config=config)


def _config(attempts: int, **limits: Any) -> Config:
    return Config(retries={"mode": "standard", "max_attempts": attempts}, **limits)
