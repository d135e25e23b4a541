"""Clients of AWS, with the limits that the adapters count on. Credentials come from AWS's default chain."""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from schedules_pipeline.store.dynamodb import ASKED_SIDE_BY_SIDE
from schedules_pipeline.upstream.bucket import FETCHED_SIDE_BY_SIDE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_LONGEST_POLL_SECONDS = 20


def s3_client(region: str, endpoint_url: str | None) -> "S3Client":
    config = Config(
        max_pool_connections=FETCHED_SIDE_BY_SIDE, retries={"mode": "standard", "max_attempts": 4}
    )
    return boto3.session.Session().client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


def files_client(region: str, endpoint_url: str | None, threads: int) -> "S3Client":
    """Gives up within what :data:`~schedules_pipeline.push.ports.FILE_STORE_TIMEOUT` says."""
    config = Config(
        max_pool_connections=threads,
        connect_timeout=5,
        read_timeout=10,
        retries={"mode": "standard", "max_attempts": 2},
    )
    return boto3.session.Session().client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


def sqs_client(region: str, endpoint_url: str | None) -> "SQSClient":
    """Waits longer for an answer than the longest poll lasts."""
    config = Config(read_timeout=_LONGEST_POLL_SECONDS + 10, retries={"mode": "standard", "max_attempts": 3})
    return boto3.session.Session().client("sqs", region_name=region, endpoint_url=endpoint_url, config=config)


def watching_sqs_client(region: str, endpoint_url: str | None) -> "SQSClient":
    """Gives up soon: who looks at many things must not be held up by one."""
    return boto3.session.Session().client(
        "sqs", region_name=region, endpoint_url=endpoint_url, config=_gives_up_soon()
    )


def sns_client(region: str, endpoint_url: str | None) -> "SNSClient":
    """Gives up soon, and is called again with the same notice later."""
    return boto3.session.Session().client(
        "sns", region_name=region, endpoint_url=endpoint_url, config=_gives_up_soon()
    )


def _gives_up_soon() -> Config:
    return Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "max_attempts": 2})


def dynamodb_client(region: str, endpoint_url: str | None) -> "DynamoDBClient":
    """Every request of ours may be repeated: where the first attempt did arrive, the next one changes nothing."""
    config = Config(
        max_pool_connections=ASKED_SIDE_BY_SIDE,
        connect_timeout=5,
        read_timeout=10,
        retries={"mode": "standard", "max_attempts": 5},
    )
    return boto3.session.Session().client(
        "dynamodb", region_name=region, endpoint_url=endpoint_url, config=config
    )
