"""The schedule documents in an S3 bucket."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from schedules_pipeline.documents.notification import object_key, parse_object_key
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidIdentifier, ServiceError
from schedules_pipeline.publishing.ports.upstream import SourceObject

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

FETCHED_SIDE_BY_SIDE = 16
"""Simultaneous fetches; the client's connection pool must be as large."""

_READ_OF_TOO_LARGE_BYTES = 8_192
"""The part of a too large document that is kept for operators."""


class S3ScheduleSource:
    """Implements :class:`ScheduleSource`."""

    def __init__(self, client: "S3Client", bucket: str, maximum_bytes: int) -> None:
        """``maximum_bytes``: only the beginning of a larger document is read."""
        self._client = client
        self._bucket = bucket
        self._maximum_bytes = maximum_bytes

    def list_keys(self) -> Iterator[ScheduleKey]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix="schedules/"
        )
        try:
            for page in pages:
                for found in page.get("Contents", []):
                    try:
                        yield parse_object_key(found["Key"])
                    except InvalidIdentifier:
                        continue
        except (BotoCoreError, ClientError) as error:
            raise ServiceError(f"bucket {self._bucket}: {error}") from error

    def fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        if len(keys) == 1:
            return {keys[0]: self._fetch(keys[0])}
        with ThreadPoolExecutor(FETCHED_SIDE_BY_SIDE) as pool:
            return dict(zip(keys, pool.map(self._fetch, keys), strict=True))

    def _fetch(self, key: ScheduleKey) -> SourceObject | Exception | None:
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=object_key(key))
            put_id = f"{found['LastModified'].isoformat()} {found.get('VersionId', '')}".strip()
            content, unread_bytes = self._read(found["Body"], found["ContentLength"])
            return SourceObject(content, put_id, unread_bytes)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                return None
            return ServiceError(f"schedule {key}: {error}")
        except (BotoCoreError, OSError) as error:
            return ServiceError(f"schedule {key}: {error}")

    def _read(self, body: "StreamingBody", size: int) -> tuple[bytes, int]:
        """The content, and the number of unread bytes."""
        if size <= self._maximum_bytes:
            return body.read(), 0
        with closing(body):
            content = body.read(_READ_OF_TOO_LARGE_BYTES)
        return content, size - len(content)
