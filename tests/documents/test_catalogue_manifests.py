"""The manifests of catalogue schedules: full and update."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from documents.catalogue_days import DAY, SID, guide_of, showing_at
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.catalogue_schedule import (
    CatalogueFile,
    describe_day,
    describe_removal,
    render_catalogue_removal,
    render_catalogue_schedules,
    render_full_manifest,
    render_update_manifest,
)
from schedules_pipeline.domain.identifiers import Sid


def _files() -> list[CatalogueFile]:
    """Two days of one service and one of another, not in order."""
    guides = [
        guide_of(showing_at(1, 24, 37), showing_at(2, 36, 48), days=1, version=3),
        guide_of(),
        guide_of(sid=Sid("alder_two")),
    ]
    return [
        describe_day(
            guide, f"{guide.sid}/{guide.window.start:%Y%m%d}.xml", render_catalogue_schedules([guide])
        )
        for guide in guides
    ]


def _manifest(document: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document)
    return found


def test_full_manifest_names_every_file() -> None:
    """A full manifest lists every file in order, with its day, version, size, digest and alterations."""
    document = render_full_manifest("partners", _files())

    manifest = _manifest(document)
    keys = ["alder_one_north/20260115.xml", "alder_one_north/20260116.xml", "alder_two/20260115.xml"]
    assert {name: value for name, value in manifest.items() if name != "files"} == {
        "s3Bucket": "partners",
        "s3Keys": keys,
        "type": "CATALOG_FULL",
        "schema": "schedules-catalogue-1",
    }
    second = render_catalogue_schedules(
        [guide_of(showing_at(1, 24, 37), showing_at(2, 36, 48), days=1, version=3)]
    )
    assert manifest["files"][1] == {
        "path": "alder_one_north/20260116.xml",
        "id": "alder_one_north_20260116",
        "sid": "alder_one_north",
        "date": "2026-01-16",
        "version": 3,
        "bytes": len(second),
        "sha256": sha256(second).hexdigest(),
        "overlapped": 1,
        "removed": False,
    }
    assert [file["path"] for file in manifest["files"]] == keys


def test_update_manifest_tells_removals() -> None:
    """An update manifest lists changes and removals separately."""
    removal = render_catalogue_removal(SID, DAY, 8)
    files = [_files()[2], describe_removal(SID, DAY, 8, "gone.xml", removal)]

    manifest = _manifest(render_update_manifest("partners", files))

    assert manifest["type"] == "CATALOG_UPDATE"
    assert manifest["s3Keys"] == ["gone.xml", "alder_two/20260115.xml"]
    assert [(file["sid"], file["version"], file["removed"]) for file in manifest["files"]] == [
        ("alder_one_north", 8, True),
        ("alder_two", 7, False),
    ]


def test_removal_in_a_full_manifest_is_rejected() -> None:
    """A full manifest removes by leaving out, and refuses a file that says so."""
    removal = describe_removal(SID, DAY, 8, "gone.xml", b"")

    with pytest.raises(ValueError, match=r"gone\.xml removes a day"):
        render_full_manifest("partners", [removal])


@pytest.mark.parametrize("render", [render_full_manifest, render_update_manifest])
def test_repeated_day_in_a_manifest_is_rejected(render: Any) -> None:
    """A manifest that named two files for one day would not say which of them counts."""
    files = _files()

    with pytest.raises(ValueError, match="is given twice"):
        render("partners", [files[0], *files])


@given(st.permutations(range(3)))
def test_order_of_the_files_does_not_matter(order: Sequence[int]) -> None:
    """Equal files in any order give equal manifests."""
    files = _files()

    manifest = render_full_manifest("partners", [files[number] for number in order])

    assert manifest == render_full_manifest("partners", files)
