"""The bucket that collectors read from, on the emulator."""

import gzip
from dataclasses import replace

import orjson
import pytest
from push_stage import FILES, KEY, OTHER, PushStage

from demo.provision import AwsEndpoints, ProvisionedResources
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.outbound.files import S3FileStore


@pytest.fixture
def shelf(aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources) -> S3FileStore:
    return S3FileStore(aws_endpoints.s3(), provisioned.bucket)


def test_what_is_put_is_there(
    shelf: S3FileStore, aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """Its bytes and its type; what was there before is replaced."""
    shelf.put("to/a.json.gz", b"one", "application/gzip")
    shelf.put("to/a.json.gz", b"two", "application/gzip")

    found = aws_endpoints.s3().get_object(Bucket=provisioned.bucket, Key="to/a.json.gz")
    assert shelf.read("to/a.json.gz") == b"two"
    assert found["ContentType"] == "application/gzip"


def test_what_is_not_there_is_nothing(shelf: S3FileStore) -> None:
    """Reading says so, and deleting does nothing."""
    shelf.delete("to/none")

    assert shelf.read("to/none") is None


def test_names_are_those_below_the_prefix(shelf: S3FileStore) -> None:
    """More of them than one page of a listing holds, and none of another's."""
    for number in range(1_005):
        shelf.put(f"to/schedules/{number:04}", b"", "text/plain")
    shelf.put("to/latest.json", b"", "text/plain")
    shelf.delete("to/schedules/0003")

    names = list(shelf.names("to/schedules/"))

    assert names == [f"to/schedules/{number:04}" for number in range(1_005) if number != 3]


def test_a_bucket_that_is_not_there_is_the_worlds_fault(aws_endpoints: AwsEndpoints) -> None:
    """Every call says which bucket did not answer."""
    shelf = S3FileStore(aws_endpoints.s3(), "no-such-bucket-at-all")

    for call in (
        lambda: shelf.put("a", b"", "text/plain"),
        lambda: shelf.read("a"),
        lambda: list(shelf.names("a")),
    ):
        with pytest.raises(ServiceError, match="no-such-bucket-at-all"):
            call()


def test_a_partners_files_in_a_real_bucket(shelf: S3FileStore) -> None:
    """In full, then by an update with a removal: what the manifests lead to is what lies there."""
    stage = PushStage()
    stage.subscribe_files()
    stage.pusher = replace(stage.pusher, files=replace(stage.pusher.files, files=shelf))
    stage.publish(KEY)
    stage.publish(OTHER)
    full = stage.push(FILES)
    stage.wait(minutes=1)
    stage.publish(KEY)
    stage.publish(OTHER, removed=True)

    update = stage.push(FILES)

    pointer = orjson.loads(shelf.read("to/harbour/latest.json") or b"")
    manifest = orjson.loads(shelf.read(f"to/harbour/{pointer['updates'][0]['name']}") or b"")
    (schedule,) = manifest["schedules"]
    content = shelf.read(f"to/harbour/{schedule['files'][0]['name']}")
    assert (full.problem, full.delivered, update.delivered) == ("", 1, 1)
    assert content is not None
    assert gzip.decompress(content) == stage.documents[KEY]
    assert [removed["sid"] for removed in manifest["removed"]] == [OTHER.sid]
    assert list(shelf.names("to/harbour/schedules/")) == [f"to/harbour/schedules/{KEY}.json.gz"]
