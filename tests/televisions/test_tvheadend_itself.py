"""tvheadend as a whole: its socket for XMLTV takes a guide, and another one after a change.

Needs a program ``tvheadend``, which Debian does not have: on the path, or named by ``SCHEDULES_TVHEADEND``. Its
internal grabbers begin two minutes after its start, so they were only tried by hand.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import which
from socket import AF_UNIX, socket
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from televisions.watching import PROGRAMMES, Watched, eventually

from demo.servers import find_free_port

_PROGRAM: Final = os.environ.get("SCHEDULES_TVHEADEND") or which("tvheadend")
_CHANNEL: Final = "Alder One"


class _Tvheadend:
    def __init__(self, port: int, socket: Path) -> None:
        self._address, self._socket = f"http://127.0.0.1:{port}/api", str(socket)

    def ask(self, path: str, **params: object) -> Any:
        body = urlencode({name: json.dumps(value) for name, value in params.items()}).encode()
        with urlopen(f"{self._address}/{path}", body, timeout=10) as answer:
            return json.load(answer)

    def prepare(self) -> None:
        """Switch the socket on, also for ratings, and create the channel."""
        modules = self.ask("epggrab/module/list")["entries"]
        [external] = [one["uuid"] for one in modules if one["title"] == "External: XMLTV"]
        self.ask("idnode/save", node={"uuid": external, "enabled": True})
        self.ask("epggrab/config/save", node={"epgdb_processparentallabels": True})
        self.ask("channel/create", conf={"name": _CHANNEL, "enabled": True})

    def feed(self, address: str) -> None:
        """As ``curl -sf ADDRESS | socat - UNIX-CONNECT:xmltv.sock`` does."""
        with urlopen(address) as answer, socket(AF_UNIX) as connection:
            connection.connect(self._socket)
            connection.sendall(answer.read())

    def events(self) -> list[dict[str, Any]]:
        events = self.ask("epg/events/grid", limit=PROGRAMMES * 2)["entries"]
        return sorted(events, key=lambda event: event["start"])


@pytest.fixture
def tvheadend(tmp_path: Path) -> Iterator[_Tvheadend]:
    port, config = find_free_port(), tmp_path / "config"
    options = ["-c", str(config), "-b", "127.0.0.1", "--http_port", str(port)]
    options += ["--htsp_port", str(find_free_port()), "--noacl", "-C", "--nobackup"]
    environment, quiet = os.environ | {"HOME": str(tmp_path)}, subprocess.DEVNULL
    process = subprocess.Popen([str(_PROGRAM), *options], env=environment, stdout=quiet, stderr=quiet)
    yield _Tvheadend(port, config / "epggrab/xmltv.sock")
    process.kill()
    process.wait()


@pytest.mark.long
@pytest.mark.skipif(_PROGRAM is None, reason="there is no tvheadend, and SCHEDULES_TVHEADEND names none")
def test_tvheadend_shows_the_guide_and_follows_a_change(watched: Watched, tvheadend: _Tvheadend) -> None:
    """The channel is linked by its name; every programme has its fields, and after a publication the new ones."""

    def has(title: str) -> None:
        tvheadend.feed(address)
        events = tvheadend.events()
        assert [event["subtitle"] for event in events] == [f"{title} {n}" for n in range(PROGRAMMES)]

    eventually(tvheadend.prepare)
    with watched.address("guide.xml") as address:
        eventually(lambda: has("The Lantern"))
        first, second = tvheadend.events()[:2]
        watched.publish("Another Lantern")
        eventually(lambda: has("Another Lantern"))

    expected = {
        "channelName": _CHANNEL,
        "title": "Quiet Viaduct",
        "description": "A lamp.",
        "seasonNumber": 2,
        "start": int(watched.first.timestamp()),
        "stop": int((watched.first + timedelta(hours=1)).timestamp()),
        "image": "https://images.example/p0000009.jpg",
    }
    assert first.items() >= expected.items()
    assert [one.get("repeat") for one in (first, second)] == [1, None]
    assert [one.get("new") for one in (first, second)] == [None, 1]
