"""What Kodi reads: the parser of its IPTV Simple Client, compiled from its sources, which are not in this repository.

Needs ``g++``, and of Debian ``kodi-addons-dev`` and ``libpugixml-dev``.
"""

import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from builders import an_episode
from documents.xmltv_guides import DOMAIN, NOON, blanked, guide, showing, unknown
from renderers import render_xmltv

from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.programme import TitledItem

_SOURCES = "SCHEDULES_PVR_IPTVSIMPLE"
_DRIVER = Path(__file__).with_name("kodi_reader.cpp")
_HOUR = timedelta(hours=1)
_UNKNOWN = "-1"


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """The program, built in some ten seconds."""
    sources, program = Path(os.environ[_SOURCES]), tmp_path / "kodi_reader"
    parser = sources / "iptvsimple/data/EpgEntry.cpp"
    options = ["-std=c++17", f"-I{sources}", "-lpugixml", "-o", str(program)]
    subprocess.run(["g++", str(_DRIVER), str(parser), *options], check=True, capture_output=True)
    return program


@pytest.mark.long
@pytest.mark.skipif(
    _SOURCES not in os.environ, reason=f"{_SOURCES} names no directory `src` of pvr.iptvsimple"
)
def test_kodi_reads_what_was_written(reader: Path, tmp_path: Path) -> None:
    """Titles, numbers, first showings, warnings and pictures of broadcasts of every kind."""
    series = TitledItem(pid=Pid("s0000001"), title="Series 2", position=2)
    shown = [
        showing(NOON, 60, 1, series=series, episode=an_episode(position=4)),
        showing(NOON + _HOUR, 60, 2, episode=an_episode(title="Episode 5"), subtitle="Series 2: Episode 5"),
        showing(NOON + 2 * _HOUR, 60, 3, is_repeat=True, episode=an_episode(warning_text="Flashing lights.")),
        blanked(NOON + 3 * _HOUR, 4),
        unknown(NOON + 4 * _HOUR, 5),
    ]
    path = tmp_path / "guide.xml"
    template = "https://i.example/{image_pid}.jpg"
    path.write_bytes(render_xmltv([guide(shown)], domain=DOMAIN, image_url_template=template))

    read = subprocess.run([reader, path], check=True, capture_output=True, text=True).stdout.splitlines()

    picture, first = "https://i.example/p0000009.jpg", int(NOON.timestamp())
    assert [line.split("|")[2:] for line in read] == [
        ["Quiet Viaduct", "Series 2: The Lantern", "2", "4", "1", "", picture],
        ["Quiet Viaduct", "Series 2: Episode 5", "2", "5", "1", "", picture],
        ["Quiet Viaduct", "Series 2: The Lantern", "2", _UNKNOWN, "0", "Flashing lights.", picture],
        ["Not available", "", _UNKNOWN, _UNKNOWN, "0", "", ""],
        ["To be announced", "", _UNKNOWN, _UNKNOWN, "0", "", ""],
    ]
    assert read[0].startswith(f"{first}|{first + 3_600}|")
