"""Guides in files: plain and gzipped, their description, and the history made from one."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from schedules_pipeline.errors import InvalidDocument
from schedules_pipeline.history.guides import describe, guide_history, import_rules, read_guide
from schedules_pipeline.history.recorded import read_history, write_history
from schedules_pipeline.settings import Settings

_NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
_RULES = import_rules(Settings())
_GUIDE = b"""<tv><channel id="alder"><display-name>Alder</display-name></channel>
<programme start="20260328120000 +0000" stop="20260328123000 +0000" channel="alder"><title>Salt</title>
<sub-title>Low Tide</sub-title></programme>
<programme start="20260328130000 +0000" channel="alder"><title>Salt</title></programme></tv>"""


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_guide_is_read_whether_it_is_gzipped_or_not(tmp_path: Path, pack: type[bytes]) -> None:
    """The name of the file does not matter."""
    path = tmp_path / "guide"
    path.write_bytes(pack(_GUIDE))

    guide = read_guide(path, _RULES, _NOON)

    assert list(guide.schedules) == [("alder", date(2026, 3, 28))]
    assert describe(guide) == [
        "guide: 1 service, 1 schedule, 1 broadcast, 3 catalogue items",
        "1 × programme whose stop is missing or wrong, and none begins within 12 hours: left out",
    ]


def test_the_history_of_a_guide_can_be_read(tmp_path: Path) -> None:
    """The catalogue comes first, then the schedules, all at one instant; writing loses nothing."""
    (tmp_path / "guide.xml").write_bytes(_GUIDE)
    events = list(guide_history(read_guide(tmp_path / "guide.xml", _RULES, _NOON), _NOON))

    write_history(tmp_path / "guide.jsonl.gz", events)

    assert list(read_history(tmp_path / "guide.jsonl.gz")) == events
    assert [type(event).__name__ for event in events] == ["CatalogueUpdated"] * 3 + ["SchedulePut"]
    assert {event.at for event in events} == {_NOON}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html/>", "not an XMLTV guide"),
        (b"\xfd7zXZ\0rest", "unpack it with `xz -dc`"),
        (b"BZh91AY", "unpack it with `bzip2 -dc`"),
        (b"<tv>Tom & Jerry</tv>", "not well-formed XML.*--repair"),
        (gzip.compress(_GUIDE)[:-20], "not a whole gzip file"),
        (b"\x1f\x8b nothing of the kind", "not a whole gzip file"),
        (gzip.compress(_GUIDE[:-20]), "not well-formed"),
        (b"<tv></tv>", "no schedules"),
    ],
)
def test_a_guide_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    """The error names the file and the reason."""
    path = tmp_path / "guide.xml"
    path.write_bytes(content)

    with pytest.raises(InvalidDocument, match=rf"guide\.xml: .*{reason}"):
        read_guide(path, _RULES, _NOON)


def test_the_rules_are_those_of_the_pipeline() -> None:
    """Broadcast days, domain and images come from the settings."""
    template = "https://i.example/{image_pid}"
    settings = Settings(time_zone="Europe/Vienna", xmltv_domain="alder.example", image_url_template=template)

    rules = import_rules(settings, language="de")

    assert (rules.calendar.zone.key, rules.domain, rules.image_url_template, rules.language) == (
        "Europe/Vienna",
        "alder.example",
        template,
        "de",
    )
