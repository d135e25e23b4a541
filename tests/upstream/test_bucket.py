"""The schedule documents in a bucket, of any size, on the emulator."""

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
