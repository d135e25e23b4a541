"""The schedule documents in a bucket, of any size, on the emulator."""

import codecs
import gzip

import pytest
import zstandard

from demo.provision import AwsEndpoints, ProvisionedResources
from schedules_pipeline.documents.notification import object_key
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.upstream import SourceObject
from schedules_pipeline.upstream.bucket import S3ScheduleSource

_KEY = ScheduleKey.parse("alder/2026-03-28")
_OTHER = ScheduleKey.parse("alder/2026-03-29")
_LIMIT = 10_000


def _source(endpoints: AwsEndpoints, bucket: str, contents: dict[ScheduleKey, bytes]) -> S3ScheduleSource:
    client = endpoints.s3()
    for key, content in contents.items():
        client.put_object(Bucket=bucket, Key=object_key(key), Body=content)
    return S3ScheduleSource(client, bucket, _LIMIT)


def _fetched(source: S3ScheduleSource, key: ScheduleKey) -> SourceObject:
    found = source.fetch([key])[key]
    assert isinstance(found, SourceObject)
    return found


def test_document_of_the_greatest_size_is_read(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """A document of exactly the limit is fetched whole."""
    source = _source(aws_endpoints, provisioned.bucket, {_KEY: b"x" * _LIMIT})

    found = _fetched(source, _KEY)

    assert found.content == b"x" * _LIMIT
    assert found.unread_bytes == 0


def test_larger_document_is_not_read_into_memory(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """Of a document above the limit only the beginning is fetched, with how much there is besides."""
    source = _source(aws_endpoints, provisioned.bucket, {_KEY: b"x" * 3_000_000})

    found = _fetched(source, _KEY)

    assert 2_000 <= len(found.content) <= _LIMIT
    assert len(found.content) + found.unread_bytes == 3_000_000


def test_larger_document_does_not_hold_up_others(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """Beside a document that is too large the others are fetched, again and again over the same connections."""
    source = _source(aws_endpoints, provisioned.bucket, {_KEY: b"x" * 3_000_000, _OTHER: b"{}"})

    for _ in range(20):
        found = source.fetch([_KEY, _OTHER])[_OTHER]
        assert isinstance(found, SourceObject)
        assert found.content == b"{}"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (gzip.compress(b"{}"), "gzip"),
        (zstandard.compress(b"{}"), "zstd"),
        (gzip.compress(gzip.compress(b"{}")), "gzip, gzip"),
        (codecs.BOM_UTF8 + b"{}", ""),
    ],
    ids=["gzip", "zstd", "twice", "byte-order mark"],
)
def test_an_encoded_document_is_decoded(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources, content: bytes, encoding: str
) -> None:
    """The encoding that an object names is undone, and a byte-order mark is skipped."""
    client = aws_endpoints.s3()
    client.put_object(Bucket=provisioned.bucket, Key=object_key(_KEY), Body=content, ContentEncoding=encoding)

    found = _fetched(S3ScheduleSource(client, provisioned.bucket, _LIMIT), _KEY)

    assert (found.content, found.unread_bytes, found.defect) == (b"{}", 0, "")


@pytest.mark.parametrize(
    ("content", "encoding", "defect"),
    [
        (b"{}", "br", "the Content-Encoding 'br' is unknown"),
        (b"{}", "gzip", "the content cannot be decoded as gzip"),
        (gzip.compress(b" " * 5_000_000), "gzip", "decoded from gzip it has more than 10,000 bytes"),
    ],
    ids=["unknown", "damaged", "bomb"],
)
def test_a_document_that_cannot_be_decoded_says_why(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources, content: bytes, encoding: str, defect: str
) -> None:
    """The object is found, with its defect, so that its document is rejected rather than fetched again and again."""
    client = aws_endpoints.s3()
    client.put_object(Bucket=provisioned.bucket, Key=object_key(_KEY), Body=content, ContentEncoding=encoding)

    found = _fetched(S3ScheduleSource(client, provisioned.bucket, _LIMIT), _KEY)

    assert found.content == content
    assert found.defect.startswith(defect)
