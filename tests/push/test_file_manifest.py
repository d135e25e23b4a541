"""Manifests and the pointer to them."""

from dataclasses import replace
from datetime import UTC, date, datetime

import orjson
import pytest

from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.push.file_manifest import (
    DeliveredFile,
    DeliveredSchedule,
    Manifest,
    ManifestLink,
    Pointer,
    parse_pointer,
    render_manifest,
    render_pointer,
)

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_FILE = DeliveredFile("json", "schedules/alder/2026-03-28.json.gz", 7, "00ff")
_SCHEDULE = DeliveredSchedule("alder", date(2026, 3, 28), 3, "ab", _NOW, (_FILE,))
_UPDATE = Manifest("5-0", "7-1", "cursor", _NOW, (_SCHEDULE,))
_POINTER = Pointer(
    *("life", "9-0", "cursor", ("alder*",), ("json",)),
    ManifestLink("manifests/full_5-0_00.json", "", "5-0"),
    _NOW,
    (ManifestLink("a", "5-0", "7-1"), ManifestLink("b", "7-1", "9-0")),
)


def test_a_manifests_name_depends_on_its_content() -> None:
    """Equal manifests have equal names; another content or kind gives another name."""
    name, content = render_manifest(_UPDATE)

    assert name.startswith("manifests/update_5-0_7-1_")
    assert render_manifest(_UPDATE) == (name, content)
    assert render_manifest(replace(_UPDATE, schedules=()))[0] != name
    assert render_manifest(replace(_UPDATE, begin=None))[0].startswith("manifests/full_7-1_")


def test_a_manifest_has_the_documented_members() -> None:
    """Every member has the documented name, order and format."""
    fields = orjson.loads(render_manifest(_UPDATE)[1])

    assert fields == {
        "manifest": 1,
        "kind": "update",
        "from": "5-0",
        "to": "7-1",
        "cursor": "cursor",
        "made_at": "2026-03-28T12:00:00Z",
        "schedules": [
            {
                "sid": "alder",
                "date": "2026-03-28",
                "seq": 3,
                "etag": "ab",
                "published_at": "2026-03-28T12:00:00Z",
                "files": [
                    {
                        "format": "json",
                        "name": "schedules/alder/2026-03-28.json.gz",
                        "bytes": 7,
                        "sha256": "00ff",
                    }
                ],
            }
        ],
        "removed": [],
    }


def test_a_pointer_survives_rendering_and_parsing() -> None:
    """Parsing a rendered pointer gives an equal pointer."""
    assert parse_pointer(render_pointer(_POINTER)) == _POINTER


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"pointer": 2}', b'{"pointer": 1}', b'{"pointer": []}', b"\xff", b"null"],
)
def test_content_that_cannot_be_decoded_is_rejected(content: bytes) -> None:
    """Any other content raises InvalidRecord."""
    with pytest.raises(InvalidRecord):
        parse_pointer(content)


@pytest.mark.parametrize("field", ["end", "full", "updates", "services", "made_at", "epoch"])
def test_a_pointer_without_a_member_is_rejected(field: str) -> None:
    """Every member is required."""
    fields = orjson.loads(render_pointer(_POINTER))
    del fields[field]

    with pytest.raises(InvalidRecord):
        parse_pointer(orjson.dumps(fields))


@pytest.mark.parametrize(
    ("begin", "end", "names"),
    [
        ("9-0", "10-0", ["a", "b", "new"]),
        ("7-1", "11-0", ["a", "new"]),
        ("5-0", "7-1", ["b", "new"]),
        ("6-0", "8-0", ["a", "b", "new"]),
        ("5-0", "9-0", ["new"]),
    ],
)
def test_an_update_replaces_those_that_it_covers(begin: str, end: str, names: list[str]) -> None:
    """Only updates of earlier attempts at the same rows are replaced, so no row loses its update."""
    updates = _POINTER.with_update(ManifestLink("new", begin, end)).updates

    assert [link.name for link in updates] == names
