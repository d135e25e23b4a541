"""One pass of the old system over a bucket and Redis, and its process."""

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from old_system_inputs import SOAP, source_broadcast, source_document
from redis import Redis

from demo import old_system
from demo.old_system import Document, generate, refresh
from demo.provision import AwsEndpoints, ProvisionedResources
from demo.servers import RedisServer

_NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)


class _NoSuchKey(Exception):
    """The error of S3 for a missing key."""


class _Bucket:
    """One bucket that behaves like boto3's S3 client for listing, in pages of two, and reading."""

    exceptions = SimpleNamespace(NoSuchKey=_NoSuchKey)

    def __init__(self, objects: dict[str, bytes], vanishing: Iterable[str] = ()) -> None:
        self.objects = objects
        self._vanishing = set(vanishing)

    def get_paginator(self, operation: str) -> "_Bucket":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **request: str) -> Iterator[Document]:
        assert request["Bucket"] == "source"
        keys = sorted(key for key in {*self.objects, *self._vanishing} if key.startswith(request["Prefix"]))
        yield from (
            {"Contents": [{"Key": key} for key in keys[at : at + 2]]} for at in range(0, len(keys), 2)
        )
        yield {}

    def get_object(self, **request: str) -> Document:
        if request["Key"] not in self.objects:
            raise _NoSuchKey
        return {"Body": io.BytesIO(self.objects[request["Key"]])}


def _ticking(start: datetime) -> Callable[[], datetime]:
    """A clock that is a second later each time it is read."""
    ticks = (start + timedelta(seconds=seconds) for seconds in range(1_000))
    return lambda: next(ticks)


def _key(day: int) -> str:
    return f"schedules/amber_one/2030-05-{day:02}.json"


def _content(day: int, *entries: Document) -> bytes:
    return json.dumps(source_document(*entries) | {"date": f"2030-05-{day:02}"}).encode()


def _legacy(redis_client: Redis, day: int) -> Document:
    document: Document = json.loads(redis_client.get(f"legacy:amber_one/2030-05-{day:02}") or b"null")
    return document


def test_pass_writes_every_listed_schedule(redis_client: Redis) -> None:
    """One pass writes each schedule that the bucket lists, joined with the catalogue keyspace."""
    for pid, document in SOAP.items():
        redis_client.set(f"catalogue:{pid}", json.dumps(document))
    bucket = _Bucket({_key(day): _content(day, source_broadcast()) for day in (1, 2, 3)})

    done = refresh("source", bucket, redis_client, _ticking(_NOON))

    assert done == old_system.RefreshCounts(written=3, kept=(), deleted=())
    assert [_legacy(redis_client, day)["schedule"]["date"] for day in (1, 2, 3)] == [
        "2030-05-01",
        "2030-05-02",
        "2030-05-03",
    ]
    assert _legacy(redis_client, 3)["schedule"] == generate(json.loads(bucket.objects[_key(3)]), SOAP.get)


def test_pass_stamps_the_moment_before_the_first_read(redis_client: Redis) -> None:
    """Each schedule carries the moment before its first input was read, the pass the moment of its end."""
    bucket = _Bucket({_key(day): _content(day, source_broadcast()) for day in (1, 2)})

    refresh("source", bucket, redis_client, _ticking(_NOON.replace(microsecond=7)))

    assert _legacy(redis_client, 1)["generated_at"] == "2030-05-01T12:00:00.000007Z"
    assert _legacy(redis_client, 2)["generated_at"] == "2030-05-01T12:00:01.000007Z"
    assert redis_client.get("legacy:refreshed_at") == b"2030-05-01T12:00:02.000007Z"


def test_pass_reads_each_input_after_its_stamp(redis_client: Redis) -> None:
    """The clock is read before the document, so no output can claim to be newer than its inputs."""
    order: list[str] = []

    class HealthSources(_Bucket):
        def get_object(self, **request: str) -> Document:
            order.append("document")
            return super().get_object(**request)

    def now() -> datetime:
        order.append("clock")
        return _NOON

    refresh("source", HealthSources({_key(1): _content(1)}), redis_client, now)

    assert order == ["clock", "document", "clock"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="torn"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"sid": "amber_one", "date": "2030-05-01"}', id="no broadcasts"),
        pytest.param(_content(1, {"broadcast_pid": "p00000b1"}), id="no times"),
    ],
)
def test_document_that_does_not_parse_keeps_the_last_output(redis_client: Redis, content: bytes) -> None:
    """A schedule whose source document does not parse keeps its last output; the others are written."""
    bucket = _Bucket({_key(1): _content(1, source_broadcast()), _key(2): _content(2)})
    refresh("source", bucket, redis_client, _ticking(_NOON))
    before = _legacy(redis_client, 1)
    bucket.objects[_key(1)] = content

    done = refresh("source", bucket, redis_client, _ticking(_NOON + timedelta(hours=1)))

    assert done == old_system.RefreshCounts(written=1, kept=("amber_one/2030-05-01",), deleted=())
    assert _legacy(redis_client, 1) == before
    assert _legacy(redis_client, 2)["generated_at"] > before["generated_at"]


def test_catalogue_document_that_does_not_parse_keeps_the_last_output(redis_client: Redis) -> None:
    """A schedule that shows an episode with an unreadable document keeps its last output."""
    bucket = _Bucket({_key(1): _content(1, source_broadcast())})
    refresh("source", bucket, redis_client, _ticking(_NOON))
    before = _legacy(redis_client, 1)
    redis_client.set("catalogue:p0000001", "{")

    done = refresh("source", bucket, redis_client, _ticking(_NOON + timedelta(hours=1)))

    assert done.kept == ("amber_one/2030-05-01",)
    assert _legacy(redis_client, 1) == before


def test_empty_and_shrunken_documents_replace_the_last_output(redis_client: Redis) -> None:
    """The old system accepts every document that parses: an empty document empties its schedule."""
    bucket = _Bucket({_key(1): _content(1, source_broadcast())})
    refresh("source", bucket, redis_client, _ticking(_NOON))
    bucket.objects[_key(1)] = _content(1)

    refresh("source", bucket, redis_client, _ticking(_NOON))

    assert _legacy(redis_client, 1)["schedule"]["broadcasts"] == []


def test_schedule_that_is_no_longer_listed_is_deleted(redis_client: Redis) -> None:
    """A schedule that the source no longer lists is deleted, and no other key is."""
    redis_client.set("catalogue:p0000001", json.dumps(SOAP["p0000001"]))
    bucket = _Bucket({_key(day): _content(day) for day in (1, 2)})
    refresh("source", bucket, redis_client, _ticking(_NOON))
    del bucket.objects[_key(1)]

    done = refresh("source", bucket, redis_client, _ticking(_NOON))

    assert done.deleted == ("amber_one/2030-05-01",)
    assert set(redis_client.scan_iter()) == {
        b"catalogue:p0000001",
        b"legacy:amber_one/2030-05-02",
        b"legacy:refreshed_at",
    }


def test_schedule_removed_while_the_pass_runs_waits_for_the_next(redis_client: Redis) -> None:
    """A document that is removed between listing and reading does not stop the pass."""
    bucket = _Bucket({_key(2): _content(2)}, vanishing=[_key(1)])

    done = refresh("source", bucket, redis_client, _ticking(_NOON))

    assert done == old_system.RefreshCounts(written=1, kept=("amber_one/2030-05-01",), deleted=())


def test_other_objects_in_the_bucket_are_passed_over(redis_client: Redis) -> None:
    """Objects whose keys do not name a service and a date are no schedules."""
    bucket = _Bucket({"schedules/README.txt": b"", "schedules/amber_one/today.json": b"{}", "x/y": b""})

    done = refresh("source", bucket, redis_client, _ticking(_NOON))

    assert done == old_system.RefreshCounts(written=0, kept=(), deleted=())


def _identity(endpoints: AwsEndpoints) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": str(endpoints.access_key_id),
        "AWS_SECRET_ACCESS_KEY": str(endpoints.secret_access_key),
        "AWS_DEFAULT_REGION": endpoints.region,
    }


def _start(redis_server: RedisServer, endpoints: AwsEndpoints, bucket: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "demo.old_system", "--interval-seconds", "600"]
    places = [
        "--redis-url",
        redis_server.url,
        "--s3-endpoint",
        str(endpoints.endpoint_url),
        "--bucket",
        bucket,
    ]
    return subprocess.Popen(
        command + places,
        env=_identity(endpoints),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_process_refreshes_and_stops_on_a_signal(
    redis_server: RedisServer,
    redis_client: Redis,
    aws_endpoints: AwsEndpoints,
    provisioned: ProvisionedResources,
    stop_signal: signal.Signals,
) -> None:
    """The process makes a pass over real servers, prints a line about it, and ends with status 0 on a signal."""
    aws_endpoints.s3().put_object(
        Bucket=provisioned.bucket, Key=_key(1), Body=_content(1, source_broadcast())
    )

    with _start(redis_server, aws_endpoints, provisioned.bucket) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        process.send_signal(stop_signal)
        said_later = process.stdout.read()

    assert said == "refreshed 1 schedules, deleted 0\n"
    assert (process.returncode, said_later) == (0, "")
    assert _legacy(redis_client, 1)["schedule"]["broadcasts"][0]["episode_pid"] == "p0000001"


def test_process_goes_on_after_a_service_failed(
    redis_server: RedisServer,
    redis_client: Redis,
    aws_endpoints: AwsEndpoints,
    provisioned: ProvisionedResources,
) -> None:
    """A missing bucket is reported and retried; the process goes on."""
    with _start(redis_server, aws_endpoints, "no-such-bucket") as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        still_runs = process.poll() is None
        process.terminate()

    assert re.match(r"refresh failed, retrying at the next pass: .*NoSuchBucket", said)
    assert still_runs


_OWNER = """
import os, subprocess, sys, time
command = [sys.executable, "-m", "demo.old_system", f"--owner-pid={os.getpid()}"]
subprocess.Popen(command + sys.argv[1:])
time.sleep(600)
"""


def test_process_ends_with_its_killed_owner(redis_server: RedisServer, aws_endpoints: AwsEndpoints) -> None:
    """The process ends when the process that started it is killed with -9."""
    places = [f"--redis-url={redis_server.url}", f"--s3-endpoint={aws_endpoints.endpoint_url}"]
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, *places, "--bucket=no-such-bucket"],
        env=_identity(aws_endpoints),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        said = owner.stdout.readline()

        owner.send_signal(signal.SIGKILL)

        # The pipe ends when the last process that holds it does.
        assert owner.stdout.read() == ""
    assert said.startswith("refresh failed")
