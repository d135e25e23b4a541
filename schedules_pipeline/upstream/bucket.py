"""The schedule documents in an S3 bucket."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schedules_pipeline.documents.content_encoding import decode_content
from schedules_pipeline.documents.notification import object_key, parse_object_key
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidDocument, InvalidIdentifier, ServiceError
from schedules_pipeline.publishing.ports.upstream import SourceObject
from schedules_pipeline.store.aws_answers import (
    is_absent,
    object_names,
    require_whole_object,
    service_errors,
)

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
        # It starts threads when they are needed, and keeps them: at a hundred changes a second, starting them for each
        # batch would take a twentieth of the publisher's time.
        self._pool = ThreadPoolExecutor(FETCHED_SIDE_BY_SIDE, thread_name_prefix="fetching")

    def list_keys(self) -> Iterator[ScheduleKey]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix="schedules/"
        )
        for name in object_names(f"bucket {self._bucket}", pages):
            try:
                yield parse_object_key(name)
            except InvalidIdentifier:
                continue

    def fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        if len(keys) == 1:
            return {keys[0]: self._fetch(keys[0])}
        return dict(zip(keys, self._pool.map(self._fetch, keys), strict=True))

    def _fetch(self, key: ScheduleKey) -> SourceObject | ServiceError | None:
        try:
            with service_errors(f"schedule {key} in bucket {self._bucket}"):
                found = self._get(key)
        except ServiceError as error:
            return error
        return None if found is None else self._decoded(*found)

    def _get(self, key: ScheduleKey) -> tuple[SourceObject, str] | None:
        """The object and its encoding."""
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=object_key(key))
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        require_whole_object(f"schedule {key} in bucket {self._bucket}", found)
        put_id = f"{found['LastModified'].isoformat()} {found.get('VersionId', '')}".strip()
        content, unread_bytes = self._read(found["Body"], found["ContentLength"])
        return SourceObject(content, put_id, unread_bytes), found.get("ContentEncoding", "")

    def _decoded(self, found: SourceObject, encoding: str) -> SourceObject:
        if found.unread_bytes:
            return found
        try:
            return replace(found, content=decode_content(found.content, encoding, self._maximum_bytes))
        except InvalidDocument as error:
            return replace(found, defect=str(error))

    def _read(self, body: "StreamingBody", size: int) -> tuple[bytes, int]:
        """The content, and the number of unread bytes."""
        if size <= self._maximum_bytes:
            return body.read(), 0
        with closing(body):
            content = body.read(_READ_OF_TOO_LARGE_BYTES)
        return content, size - len(content)
