"""The S3 bucket that partners read files from."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from schedules_pipeline.errors import ServiceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ABSENT = ("NoSuchKey", "404")


class S3FileStore:
    """Implements :class:`FileStore`."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, name: str, content: bytes, media_type: str) -> None:
        with self._service_errors():
            self._client.put_object(Bucket=self._bucket, Key=name, Body=content, ContentType=media_type)

    def read(self, name: str) -> bytes | None:
        with self._service_errors():
            try:
                return self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read()
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _ABSENT:
                    return None
                raise

    def delete(self, name: str) -> None:
        with self._service_errors():
            self._client.delete_object(Bucket=self._bucket, Key=name)

    def names(self, prefix: str) -> Iterator[str]:
        with self._service_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                yield from (found["Key"] for found in page.get("Contents", []))

    @contextmanager
    def _service_errors(self) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, OSError) as error:
            raise ServiceError(f"bucket {self._bucket}: {error}") from error
