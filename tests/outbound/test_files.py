"""The bucket that partners read from, on the emulator."""

import gzip
from dataclasses import replace

import orjson
import pytest
from push_stage import FILES, KEY, OTHER, PushStage

from demo.provision import AwsEndpoints, ProvisionedResources
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.outbound.files import S3FileStore


@pytest.fixture
def files(aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources) -> S3FileStore:
    return S3FileStore(aws_endpoints.s3(), provisioned.bucket)


def test_an_object_is_written_and_replaced(
    files: S3FileStore, aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """Its bytes and media type are those of the last write."""
    files.put("to/a.json.gz", b"one", "application/gzip")
    files.put("to/a.json.gz", b"two", "application/gzip")

    found = aws_endpoints.s3().get_object(Bucket=provisioned.bucket, Key="to/a.json.gz")
    assert files.read("to/a.json.gz") == b"two"
    assert found["ContentType"] == "application/gzip"


def test_an_absent_object_is_none(files: S3FileStore) -> None:
    """Reading returns None, and deleting does nothing."""
    files.delete("to/none")

    assert files.read("to/none") is None


def test_names_are_those_below_the_prefix(files: S3FileStore) -> None:
    """The listing spans several pages and excludes other prefixes."""
    for number in range(1_005):
        files.put(f"to/schedules/{number:04}", b"", "text/plain")
    files.put("to/latest.json", b"", "text/plain")
    files.delete("to/schedules/0003")

    names = list(files.names("to/schedules/"))

    assert names == [f"to/schedules/{number:04}" for number in range(1_005) if number != 3]


def test_a_missing_bucket_is_a_service_error(aws_endpoints: AwsEndpoints) -> None:
    """Every call names the bucket."""
    files = S3FileStore(aws_endpoints.s3(), "no-such-bucket-at-all")

    for call in (
        lambda: files.put("a", b"", "text/plain"),
        lambda: files.read("a"),
        lambda: list(files.names("a")),
    ):
        with pytest.raises(ServiceError, match="no-such-bucket-at-all"):
            call()


def test_a_partners_files_in_a_real_bucket(files: S3FileStore) -> None:
    """After a full turn and an update with a removal, the manifests match the files."""
    stage = PushStage()
    stage.subscribe_files()
    stage.pusher = replace(stage.pusher, files=replace(stage.pusher.files, files=files))
    stage.publish(KEY)
    stage.publish(OTHER)
    full = stage.push(FILES)
    stage.wait(minutes=1)
    stage.publish(KEY)
    stage.publish(OTHER, removed=True)

    update = stage.push(FILES)

    pointer = orjson.loads(files.read("to/harbour/latest.json") or b"")
    manifest = orjson.loads(files.read(f"to/harbour/{pointer['updates'][0]['name']}") or b"")
    (schedule,) = manifest["schedules"]
    content = files.read(f"to/harbour/{schedule['files'][0]['name']}")
    assert (full.problem, full.delivered, update.delivered) == ("", 1, 1)
    assert content is not None
    assert gzip.decompress(content) == stage.documents[KEY]
    assert [removed["sid"] for removed in manifest["removed"]] == [OTHER.sid]
    assert list(files.names("to/harbour/schedules/")) == [f"to/harbour/schedules/{KEY}.json.gz"]
