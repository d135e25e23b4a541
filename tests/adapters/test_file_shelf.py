"""The bucket that collectors read from, on the emulator."""

import pytest

from schedules_pipeline.adapters.aws.files import S3FileShelf
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.local.provision import AwsEndpoints, Provisioned


@pytest.fixture
def shelf(aws_endpoints: AwsEndpoints, provisioned: Provisioned) -> S3FileShelf:
    return S3FileShelf(aws_endpoints.s3(), provisioned.bucket)


def test_what_is_put_is_there(
    shelf: S3FileShelf, aws_endpoints: AwsEndpoints, provisioned: Provisioned
) -> None:
    """Its bytes and its type; what was there before is replaced."""
    shelf.put("to/a.json.gz", b"one", "application/gzip")
    shelf.put("to/a.json.gz", b"two", "application/gzip")

    found = aws_endpoints.s3().get_object(Bucket=provisioned.bucket, Key="to/a.json.gz")
    assert shelf.read("to/a.json.gz") == b"two"
    assert found["ContentType"] == "application/gzip"


def test_what_is_not_there_is_nothing(shelf: S3FileShelf) -> None:
    """Reading says so, and deleting does nothing."""
    shelf.delete("to/none")

    assert shelf.read("to/none") is None


def test_names_are_those_below_the_prefix(shelf: S3FileShelf) -> None:
    """More of them than one page of a listing holds, and none of another's."""
    for number in range(1_005):
        shelf.put(f"to/schedules/{number:04}", b"", "text/plain")
    shelf.put("to/latest.json", b"", "text/plain")
    shelf.delete("to/schedules/0003")

    names = list(shelf.names("to/schedules/"))

    assert names == [f"to/schedules/{number:04}" for number in range(1_005) if number != 3]


def test_a_bucket_that_is_not_there_is_the_worlds_fault(aws_endpoints: AwsEndpoints) -> None:
    """Every call says which bucket did not answer."""
    shelf = S3FileShelf(aws_endpoints.s3(), "no-such-bucket-at-all")

    for call in (
        lambda: shelf.put("a", b"", "text/plain"),
        lambda: shelf.read("a"),
        lambda: list(shelf.names("a")),
    ):
        with pytest.raises(ServiceError, match="no-such-bucket-at-all"):
            call()
