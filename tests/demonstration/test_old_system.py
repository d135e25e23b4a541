"""The old generator: its own reading of the rules, one full pass, and its process."""

import ast
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from demo import old_system
from demo.old_system import Document, generate, refresh
from demo.provision import AwsEndpoints, ProvisionedResources
from demo.servers import RedisServer

_NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)


def _item(kind: str, title: str, parent_pid: str | None = None, **more: object) -> Document:
    return {"type": kind, "title": title, "parent_pid": parent_pid, **more}


def _entry(episode_pid: str = "p0000001", **changes: object) -> Document:
    entry: Document = {
        "broadcast_pid": "p00000b1",
        "episode_pid": episode_pid,
        "version_pid": "p00000v1",
        "start": "2030-05-01T11:45:00Z",
        "end": "2030-05-01T12:15:00Z",
        "is_repeat": True,
        "is_blanked": False,
        "is_signed": False,
        "is_audio_described": True,
    }
    return entry | changes


def _source(*entries: Document) -> Document:
    return {
        "sid": "amber_one",
        "date": "2030-05-01",
        "published_at": "2030-04-24T00:26:38Z",
        "broadcasts": list(entries),
    }


def _generate_one(entry: Document, catalogue: dict[str, Document]) -> Document:
    (broadcast,) = generate(_source(entry), catalogue.get)["broadcasts"]
    result: Document = broadcast
    return result


_SOAP = {
    "p0000001": _item("episode", "A Late Ferry", "p0000002"),
    "p0000002": _item("series", "Series 3", "p0000003"),
    "p0000003": _item("brand", "Estuary"),
}


def test_broadcast_has_the_form_that_partners_know() -> None:
    """A broadcast carries every field of the partners' format, in its order, with its values."""
    catalogue = _SOAP | {
        "p0000001": _item(
            "episode",
            "A Late Ferry",
            "p0000002",
            synopses={"short": "A ferry.", "medium": "A ferry is late.", "long": "Late."},
            image_pid="p00000m1",
            warning_text="Fog.",
        )
    }

    broadcast = _generate_one(_entry(), catalogue)

    assert list(broadcast.items()) == [
        ("broadcast_pid", "p00000b1"),
        ("version_pid", "p00000v1"),
        ("start", "2030-05-01T11:45:00Z"),
        ("end", "2030-05-01T12:15:00Z"),
        ("duration_seconds", 1800),
        ("is_repeat", True),
        ("is_blanked", False),
        ("is_signed", False),
        ("is_audio_described", True),
        ("episode_pid", "p0000001"),
        (
            "episode",
            {
                "pid": "p0000001",
                "title": "A Late Ferry",
                "synopses": {"short": "A ferry.", "medium": "A ferry is late.", "long": "Late."},
                "image_pid": "p00000m1",
                "warning_text": "Fog.",
            },
        ),
        ("series", {"pid": "p0000002", "title": "Series 3"}),
        ("brand", {"pid": "p0000003", "title": "Estuary"}),
        ("title", "Estuary"),
        ("subtitle", "Series 3: A Late Ferry"),
    ]


@pytest.mark.parametrize(
    ("catalogue", "title", "subtitle"),
    [
        pytest.param({"p0000001": _item("episode", "Alone")}, "Alone", "", id="one-off"),
        pytest.param(
            {"p0000001": _item("episode", "Inner", "p0000002"), "p0000002": _item("brand", "Outer")},
            "Outer",
            "Inner",
            id="under a brand",
        ),
        pytest.param(
            {"p0000001": _item("episode", "Inner", "p0000002"), "p0000002": _item("series", "Outer")},
            "Outer",
            "Inner",
            id="series without brand",
        ),
        pytest.param(
            {
                "p0000001": _item("episode", "Part", "p0000002"),
                "p0000002": _item("series", "Week", "p0000003"),
                "p0000003": _item("series", "Year", "p0000004"),
                "p0000004": _item("brand", "Show"),
            },
            "Show",
            "Year: Week: Part",
            id="nested series",
        ),
        pytest.param(
            _SOAP | {"p0000002": _item("series", "", "p0000003")}, "Estuary", "A Late Ferry", id="gap"
        ),
        pytest.param(
            _SOAP | {"p0000003": _item("brand", "")}, "Series 3", "A Late Ferry", id="no outer title"
        ),
        pytest.param(
            _SOAP | {"p0000001": _item("episode", "", "p0000002")}, "Estuary", "Series 3", id="untitled"
        ),
        pytest.param({"p0000001": _item("episode", "")}, "", "", id="no title at all"),
        pytest.param({"p0000001": {}}, "", "", id="no fields at all"),
        pytest.param({"p0000001": _item("episode", "Orphan", "p0000002")}, "Orphan", "", id="missing parent"),
    ],
)
def test_titles_follow_the_chain(catalogue: dict[str, Document], title: str, subtitle: str) -> None:
    """The outermost title that is not empty is the title; the others, outermost first, are the subtitle."""
    broadcast = _generate_one(_entry(), catalogue)

    assert (broadcast["title"], broadcast["subtitle"]) == (title, subtitle)


def test_series_is_the_nearest_and_brand_the_topmost() -> None:
    """Among several, the nearest series and the topmost brand are named."""
    catalogue = {
        "p0000001": _item("episode", "Part", "p0000002"),
        "p0000002": _item("series", "Near", "p0000003"),
        "p0000003": _item("series", "Far", "p0000004"),
        "p0000004": _item("brand", "Low", "p0000005"),
        "p0000005": _item("brand", "High"),
    }

    broadcast = _generate_one(_entry(), catalogue)

    assert broadcast["series"] == {"pid": "p0000002", "title": "Near"}
    assert broadcast["brand"] == {"pid": "p0000005", "title": "High"}


def test_episode_alone_has_neither_series_nor_brand() -> None:
    """An episode without parents has null for series and brand."""
    broadcast = _generate_one(_entry(), {"p0000001": _item("episode", "Alone")})

    assert (broadcast["series"], broadcast["brand"]) == (None, None)


@pytest.mark.parametrize(
    ("parents", "title", "subtitle"),
    [
        pytest.param({"p0000001": "p0000001"}, "One", "", id="itself"),
        pytest.param({"p0000001": "p0000002", "p0000002": "p0000001"}, "Two", "One", id="each other"),
        pytest.param(
            {"p0000001": "p0000002", "p0000002": "p0000003", "p0000003": "p0000002"},
            "Three",
            "Two: One",
            id="above the episode",
        ),
    ],
)
def test_cycle_of_parents_is_cut(parents: dict[str, str], title: str, subtitle: str) -> None:
    """A chain of parents ends before a pid that it has seen."""
    titles = {"p0000001": "One", "p0000002": "Two", "p0000003": "Three"}
    catalogue = {pid: _item("series", titles[pid], parent) for pid, parent in parents.items()}

    broadcast = _generate_one(_entry(), catalogue)

    assert (broadcast["title"], broadcast["subtitle"]) == (title, subtitle)


def test_ninth_ancestor_is_not_read() -> None:
    """Eight ancestors count, and nothing above them is even asked for."""
    catalogue = {f"p000000{n}": _item("series", str(n), f"p000000{n + 1}") for n in range(10)}
    asked = []

    def read(pid: str) -> Document | None:
        asked.append(pid)
        return catalogue.get(pid)

    (broadcast,) = generate(_source(_entry("p0000000")), read)["broadcasts"]

    assert (broadcast["title"], broadcast["subtitle"]) == ("8", "7: 6: 5: 4: 3: 2: 1: 0")
    assert asked == [f"p000000{n}" for n in range(9)]


@pytest.mark.parametrize(
    ("own", "series", "brand", "expected"),
    [
        pytest.param("p00000m1", "p00000m2", "p00000m3", "p00000m1", id="own"),
        pytest.param("", "p00000m2", "p00000m3", "p00000m2", id="nearest ancestor"),
        pytest.param(None, "", "p00000m3", "p00000m3", id="past an ancestor without"),
        pytest.param("", None, "", "", id="nowhere"),
    ],
)
def test_image_is_inherited_from_the_nearest(
    own: str | None, series: str | None, brand: str | None, expected: str
) -> None:
    """An episode without an image takes that of the nearest ancestor that has one, else none."""
    catalogue = {
        "p0000001": _item("episode", "Part", "p0000002", image_pid=own),
        "p0000002": _item("series", "Series", "p0000003", image_pid=series),
        "p0000003": _item("brand", "Brand", image_pid=brand),
    }

    broadcast = _generate_one(_entry(), catalogue)

    assert broadcast["episode"]["image_pid"] == expected


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="absent"),
        pytest.param(
            dict.fromkeys(["title", "synopses", "image_pid", "warning_text", "parent_pid"]), id="null"
        ),
        pytest.param({"synopses": {"short": None}, "warning_text": None, "title": ""}, id="empty"),
    ],
)
def test_missing_fields_of_an_episode_are_empty(document: Document) -> None:
    """Fields that the catalogue leaves out, or has as null, are empty texts, and the warning is null."""
    broadcast = _generate_one(_entry(), {"p0000001": document})

    assert broadcast["episode"] == {
        "pid": "p0000001",
        "title": "",
        "synopses": {"short": "", "medium": "", "long": ""},
        "image_pid": "",
        "warning_text": None,
    }


def test_unknown_episode_keeps_its_slot_and_pid() -> None:
    """A broadcast whose episode the catalogue lacks keeps its pids and times, and has no metadata."""
    broadcast = _generate_one(_entry("p0000009"), _SOAP)

    assert (broadcast["episode_pid"], broadcast["version_pid"]) == ("p0000009", "p00000v1")
    assert (broadcast["episode"], broadcast["series"], broadcast["brand"]) == (None, None, None)
    assert (broadcast["title"], broadcast["subtitle"]) == ("", "")
    assert (broadcast["start"], broadcast["duration_seconds"]) == ("2030-05-01T11:45:00Z", 1800)


def test_blanked_broadcast_keeps_its_slot_and_shows_nothing() -> None:
    """A blanked broadcast keeps its pid, times and flags, shows no programme and reads no catalogue."""

    def reject(pid: str) -> Document | None:
        raise AssertionError(f"{pid} was read")

    (broadcast,) = generate(_source(_entry(is_blanked=True)), reject)["broadcasts"]

    assert broadcast == {
        "broadcast_pid": "p00000b1",
        "version_pid": "",
        "start": "2030-05-01T11:45:00Z",
        "end": "2030-05-01T12:15:00Z",
        "duration_seconds": 1800,
        "is_repeat": True,
        "is_blanked": True,
        "is_signed": False,
        "is_audio_described": True,
        "episode_pid": "",
        "episode": None,
        "series": None,
        "brand": None,
        "title": "",
        "subtitle": "",
    }


def test_broadcasts_are_ordered_by_instant_then_pid() -> None:
    """Broadcasts come by the instant of their start, whatever offset it is written with, then by pid."""
    source = _source(
        _entry(broadcast_pid="p00000b3", start="2030-05-01T11:45:00Z"),
        _entry(broadcast_pid="p00000b2", start="2030-05-01T12:45:00+01:00"),
        _entry(broadcast_pid="p00000b4", start="2030-05-01T12:15:00+01:00"),
    )

    schedule = generate(source, _SOAP.get)

    assert [(found["broadcast_pid"], found["start"]) for found in schedule["broadcasts"]] == [
        ("p00000b4", "2030-05-01T11:15:00Z"),
        ("p00000b2", "2030-05-01T11:45:00Z"),
        ("p00000b3", "2030-05-01T11:45:00Z"),
    ]


def test_empty_document_gives_an_empty_schedule() -> None:
    """A document without broadcasts is not refused."""
    schedule = generate(_source(), _SOAP.get)

    assert schedule == {"sid": "amber_one", "date": "2030-05-01", "broadcasts": []}


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"broadcast_pid": "p00000b1"}, id="no times"),
        pytest.param(_entry(start="soon"), id="no date"),
        pytest.param(_entry(start="2030-05-01T11:45:00"), id="no offset"),
        pytest.param(_entry(end=None), id="null"),
        pytest.param("p00000b1", id="no object"),
    ],
)
def test_document_of_another_form_is_an_error(entry: Any) -> None:
    """A document that is not a schedule raises one of the errors that the contract names."""
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        generate(_source(entry), _SOAP.get)


class _NoSuchKey(Exception):
    """What S3 says of a key that is not there."""


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
    return json.dumps(_source(*entries) | {"date": f"2030-05-{day:02}"}).encode()


def _legacy(redis_client: Redis, day: int) -> Document:
    document: Document = json.loads(redis_client.get(f"legacy:amber_one/2030-05-{day:02}") or b"null")
    return document


def test_pass_writes_every_listed_schedule(redis_client: Redis) -> None:
    """One pass writes each schedule that the bucket lists, joined with the catalogue keyspace."""
    for pid, document in _SOAP.items():
        redis_client.set(f"catalogue:{pid}", json.dumps(document))
    bucket = _Bucket({_key(day): _content(day, _entry()) for day in (1, 2, 3)})

    done = refresh("source", bucket, redis_client, _ticking(_NOON))

    assert done == old_system.RefreshCounts(written=3, kept=(), deleted=())
    assert [_legacy(redis_client, day)["schedule"]["date"] for day in (1, 2, 3)] == [
        "2030-05-01",
        "2030-05-02",
        "2030-05-03",
    ]
    assert _legacy(redis_client, 3)["schedule"] == generate(json.loads(bucket.objects[_key(3)]), _SOAP.get)


def test_pass_stamps_the_moment_before_the_first_read(redis_client: Redis) -> None:
    """Each schedule carries the moment before its first input was read, the pass the moment of its end."""
    bucket = _Bucket({_key(day): _content(day, _entry()) for day in (1, 2)})

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
    bucket = _Bucket({_key(1): _content(1, _entry()), _key(2): _content(2)})
    refresh("source", bucket, redis_client, _ticking(_NOON))
    before = _legacy(redis_client, 1)
    bucket.objects[_key(1)] = content

    done = refresh("source", bucket, redis_client, _ticking(_NOON + timedelta(hours=1)))

    assert done == old_system.RefreshCounts(written=1, kept=("amber_one/2030-05-01",), deleted=())
    assert _legacy(redis_client, 1) == before
    assert _legacy(redis_client, 2)["generated_at"] > before["generated_at"]


def test_catalogue_document_that_does_not_parse_keeps_the_last_output(redis_client: Redis) -> None:
    """A schedule that shows an episode with an unreadable document keeps its last output."""
    bucket = _Bucket({_key(1): _content(1, _entry())})
    refresh("source", bucket, redis_client, _ticking(_NOON))
    before = _legacy(redis_client, 1)
    redis_client.set("catalogue:p0000001", "{")

    done = refresh("source", bucket, redis_client, _ticking(_NOON + timedelta(hours=1)))

    assert done.kept == ("amber_one/2030-05-01",)
    assert _legacy(redis_client, 1) == before


def test_empty_and_shrunken_documents_replace_the_last_output(redis_client: Redis) -> None:
    """The old system refuses nothing that parses: an empty document empties its schedule."""
    bucket = _Bucket({_key(1): _content(1, _entry())})
    refresh("source", bucket, redis_client, _ticking(_NOON))
    bucket.objects[_key(1)] = _content(1)

    refresh("source", bucket, redis_client, _ticking(_NOON))

    assert _legacy(redis_client, 1)["schedule"]["broadcasts"] == []


def test_schedule_that_is_no_longer_listed_is_deleted(redis_client: Redis) -> None:
    """What the source no longer lists leaves the legacy keyspace, and nothing else leaves with it."""
    redis_client.set("catalogue:p0000001", json.dumps(_SOAP["p0000001"]))
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
    """A document that goes between listing and reading does not stop the pass."""
    bucket = _Bucket({_key(2): _content(2)}, vanishing=[_key(1)])

    done = refresh("source", bucket, redis_client, _ticking(_NOON))

    assert done == old_system.RefreshCounts(written=1, kept=("amber_one/2030-05-01",), deleted=())


def test_other_objects_in_the_bucket_are_passed_over(redis_client: Redis) -> None:
    """Objects whose keys do not name a service and a date are no schedules."""
    bucket = _Bucket({"schedules/README.txt": b"", "schedules/amber_one/today.json": b"{}", "x/y": b""})

    done = refresh("source", bucket, redis_client, _ticking(_NOON))

    assert done == old_system.RefreshCounts(written=0, kept=(), deleted=())


def test_old_system_shares_no_rule_with_the_package() -> None:
    """The module imports the tether of its process from this package, and nothing else."""
    tree = ast.parse(Path(old_system.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }

    assert {name for name in imported if name and name.startswith(("schedules_pipeline", "demo"))} == {
        "demo.tether"
    }


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
    """The process makes a pass over real servers, says so, and ends with status 0 when it is told to."""
    aws_endpoints.s3().put_object(Bucket=provisioned.bucket, Key=_key(1), Body=_content(1, _entry()))

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
    """A bucket that is not there is said and waited for, not a reason to end."""
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
    """The process ends with the one that started it when that one is killed with -9."""
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
