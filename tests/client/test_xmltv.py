"""XMLTV that the client library writes from the local copy is that of the service."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import pytest
from documents.xmltv_guides import BIRCH, DOMAIN, NOON, SHORT_DAY, day_guide, episode, guide, guides, showing
from hypothesis import given, settings
from lxml import etree
from renderers import render_xmltv
from schedules_client import LocalCopy, XmltvOptions
from schedules_client.steps import Batch, Document, Held, Key, Version
from schedules_client.store import Store

from schedules_pipeline.documents.broadcasts import broadcast_fields, render_json
from schedules_pipeline.domain.programme import TitledItem
from schedules_pipeline.domain.service_guide import DayVersion, ServiceGuide

_SCHEMAS = Path(__file__).parents[1] / "schemas/xmltv"
_DTD = etree.DTD(str(_SCHEMAS / "xmltv.dtd"))
_IMAGES = "https://images.example/640x360/{image_pid}.jpg"
_DAY = "2026-03-28"


def _copy(guides: Sequence[ServiceGuide]) -> LocalCopy:
    """Each guide is one schedule."""
    store = Store(":memory:")
    documents = [_document(each) for each in guides]
    services = [{"sid": each.sid, "name": each.name} for each in guides]
    store.save(Batch(documents, cursor="c", services=services), "source")
    return LocalCopy(store)


def _document(guide: ServiceGuide) -> Document:
    version = Version(7, "e" * 32, "2026-03-28T12:00:00.000000Z")
    broadcasts = [broadcast_fields(each) for each in guide.broadcasts]
    fields = {"sid": guide.sid, "date": _DAY, **version._asdict(), "broadcasts": broadcasts}
    return Document(Key(guide.sid, _DAY), Held(version), render_json(fields).decode())


def _written(guides: Sequence[ServiceGuide], path: Path) -> bytes:
    _copy(guides).write_xmltv(path, options=XmltvOptions(DOMAIN, _IMAGES))
    return path.read_bytes()


def _of_the_service(guides: Sequence[ServiceGuide]) -> bytes:
    version = DayVersion(SHORT_DAY.date, 7, "e" * 32)
    document = render_xmltv(
        [replace(each, versions=(version,)) for each in guides], domain=DOMAIN, image_url_template=_IMAGES
    )
    return document.replace(b"schedules-pipeline", b"schedules-client")


@settings(max_examples=50)
@given(guides())
def test_guide_has_the_bytes_of_the_service(guides: list[ServiceGuide]) -> None:
    """Titles, texts that XML cannot hold, numbers, icons, flags, warnings and versions; only the generator differs."""
    guides = [each for each in guides if each.broadcasts]

    with TemporaryDirectory() as directory:
        found = _written(guides, Path(directory) / "guide.xml")

    assert found == (_of_the_service(guides) if guides else found)
    assert _DTD.validate(etree.fromstring(found))


@pytest.mark.parametrize(
    ("series", "title"),
    [
        ("Series 2", "Episode 4"),
        ("Series 2", "The Lantern"),
        ("Staffel 3", "Folge 07"),
        ("Salt", "2x05"),
        ("Salt", "3/6"),
        ("Salt", "Series 2, Episode 100000"),
        ("Salt", "S02E05."),
        ("Salt", "Part #3 of 6"),
    ],
)
@pytest.mark.parametrize("positions", [(None, None), (1, None), (None, 4), (3, 9), (0, 0)])
def test_numbers_are_those_of_the_service(
    series: str, title: str, positions: tuple[int | None, int | None], tmp_path: Path
) -> None:
    """By the catalogue's positions, else by titles, then marked as derived."""
    item = TitledItem(pid=showing().series.pid, title=series, position=positions[0])  # type: ignore[union-attr]
    shown = showing(
        series=item, episode=episode(title=title, position=positions[1]), subtitle=f"{series}: {title}"
    )

    assert _written([guide([shown])], tmp_path / "guide.xml") == _of_the_service([guide([shown])])


@pytest.mark.skipif(which("tv_validate_file") is None, reason="xmltv-util is not installed")
def test_tools_of_xmltv_accept_it(tmp_path: Path) -> None:
    """``tv_validate_file`` finds nothing, and ``tv_sort`` keeps every programme."""
    path = tmp_path / "guide.xml"
    _written([day_guide(SHORT_DAY), guide([showing(number=900)], BIRCH)], path)

    # It would fetch the DTD, and keep it at home.
    env = {"XMLTV_SUPPLEMENT": str(_SCHEMAS), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    validated = subprocess.run(
        ["tv_validate_file", path], env=env, capture_output=True, text=True, check=False
    )
    in_order = subprocess.run(["tv_sort", path], capture_output=True, check=True)

    assert (validated.returncode, validated.stdout + validated.stderr) == (0, "Validated ok.\n")
    assert in_order.stdout.count(b"<programme ") == path.read_bytes().count(b"<programme ") == 47


def test_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """If the guide cannot be written, the old one stays, and nothing is left beside it."""
    path = tmp_path / "guide.xml"
    path.write_text("the old one")
    copy = _copy([guide([showing()])])
    copy.store.save(Batch([Document(Key("birch", _DAY), Held(Version(1, "", "")), "{}")]), "source")

    with pytest.raises(KeyError):
        copy.write_xmltv(path)

    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_guide_that_cannot_be_written_is_named_and_nothing_is_replaced_but_files(tmp_path: Path) -> None:
    """The error has the path that was given. A link stays, and a pipe or a device is no file to replace."""
    copy = _copy([guide([showing()])])
    (tmp_path / "link.xml").symlink_to("guide.xml")
    os.mkfifo(tmp_path / "pipe")

    copy.write_xmltv(tmp_path / "link.xml")

    assert (tmp_path / "link.xml").is_symlink()
    assert (tmp_path / "guide.xml").read_bytes().startswith(b"<?xml")
    for path, reason in (
        (tmp_path / "pipe", "Not a regular file"),
        (tmp_path / "absent/guide.xml", "No such"),
    ):
        with pytest.raises(OSError, match=reason) as caught:
            copy.write_xmltv(path)
        assert caught.value.filename == str(path)
    assert {path.name for path in tmp_path.iterdir()} >= {"guide.xml", "link.xml", "pipe"}


def test_days_and_services_can_be_chosen(tmp_path: Path) -> None:
    """Both days are included; a service without schedules on them is no programme."""
    copy = _copy([guide([showing(NOON)])])

    copy.write_xmltv(tmp_path / "all.xml", first=SHORT_DAY.date, last=SHORT_DAY.date)
    copy.write_xmltv(tmp_path / "none.xml", sids=["birch"])

    assert (tmp_path / "all.xml").read_bytes().count(b"<programme ") == 1
    assert b"<channel" not in (tmp_path / "none.xml").read_bytes()
