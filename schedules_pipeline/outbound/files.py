"""S3 buckets that the pipeline writes: the files that partners read, and exports of the state."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from schedules_pipeline.store.aws_answers import (
    is_absent,
    object_names,
    require_from_aws,
    require_whole_object,
    service_errors,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3FileStore:
    """Implements :class:`FileStore`. ``is_encrypted``: ask S3 to encrypt each object with a key of its own."""

    def __init__(self, client: "S3Client", bucket: str, *, is_encrypted: bool = False) -> None:
        self._client = client
        self._bucket = bucket
        self._what = f"bucket {bucket}"
        self._encryption: Any = {"ServerSideEncryption": "AES256"} if is_encrypted else {}

    def put(self, name: str, content: bytes, media_type: str) -> None:
        with service_errors(self._what):
            reply = self._client.put_object(
                Bucket=self._bucket, Key=name, Body=content, ContentType=media_type, **self._encryption
            )
            require_from_aws(self._what, reply)

    def read(self, name: str) -> bytes | None:
        with service_errors(self._what):
            try:
                reply = self._client.get_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
            require_whole_object(self._what, reply)
            return reply["Body"].read()

    def delete(self, name: str) -> None:
        with service_errors(self._what):
            require_from_aws(self._what, self._client.delete_object(Bucket=self._bucket, Key=name))

    def names(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return object_names(self._what, pages)
