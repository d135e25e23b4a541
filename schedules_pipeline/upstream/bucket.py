"""The schedule documents in an S3 bucket."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

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
from schedules_pipeline.upstream.direct_calls import DirectCalls

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
        self._objects = _DirectObjects(client, bucket)
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
        return self._objects.get(object_key(key), self._maximum_bytes) or self._get_by_library(key)

    def _get_by_library(self, key: ScheduleKey) -> tuple[SourceObject, str] | None:
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


class _DirectObjects:
    """Objects of a bucket by direct calls."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._calls = DirectCalls(client, "GetObject", is_streamed=True)
        self._bucket = bucket

    def get(self, name: str, maximum_bytes: int) -> tuple[SourceObject, str] | None:
        """The object and its encoding, or None if the library must be asked: there is no such object, it is larger, or
        the answer is not one that S3 gives for an object.
        """
        address = self._address()
        answer = None if address is None else self._calls.send(f"{address}/{name}")
        if answer is None:
            return None
        try:
            found = _whole_object(answer, maximum_bytes)
        except Exception:  # noqa: BLE001 - the library meets the same failure, and names it
            found = None
        if found is None:
            answer.raw.close()
        return found

    def _address(self) -> str | None:
        """Of the bucket, if the library's latest call was for a schedule in it."""
        address, _, __ = (self._calls.url or "").rpartition("/schedules/")
        host, _, path = address.partition("://")[2].partition("/")
        is_own = path == self._bucket if path else host.startswith(f"{self._bucket}.")
        return address if is_own else None


def _whole_object(answer: Any, maximum_bytes: int) -> tuple[SourceObject, str] | None:
    headers = answer.headers
    size = int(headers["Content-Length"])
    if size > maximum_bytes or not (headers["ETag"] and headers["x-amz-request-id"]):
        return None
    put_id = (
        f"{parsedate_to_datetime(headers['Last-Modified']).isoformat()} {headers.get('x-amz-version-id', '')}"
    )
    content = answer.raw.read()
    encoding = headers.get("Content-Encoding", "")
    return (SourceObject(content, put_id.strip()), encoding) if len(content) == size else None
