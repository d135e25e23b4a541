"""Kodi as a whole, with its IPTV Simple Client, in a display of its own: it reads a guide and follows a change.

Needs ``kodi``, ``kodi-pvr-iptvsimple`` and ``xvfb`` of Debian.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from threading import Thread
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest
import uvicorn
from delivery.asking import Stage
from delivery.guides import ALDER, schedule, showing
from fakes import FakeClock

from demo.servers import find_free_port
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey

_KODI: Final = Path("/usr/lib/x86_64-linux-gnu/kodi/kodi.bin")
_CLIENT: Final = Path("/usr/share/kodi/addons/pvr.iptvsimple")
_CHANNEL: Final = "Alder"
_WITHIN_SECONDS: Final = 180
"""Kodi refreshes the guide once a minute, as it is configured here."""

_CLIENT_SETTINGS: Final = """<settings version="2">
<setting id="kodi_addon_instance_name">guide</setting><setting id="kodi_addon_instance_enabled">true</setting>
<setting id="m3uPathType">0</setting><setting id="m3uPath">{playlist}</setting>
<setting id="m3uCache">false</setting><setting id="m3uRefreshMode">1</setting>
<setting id="m3uRefreshIntervalMins">1</setting>
<setting id="epgPathType">1</setting><setting id="epgUrl">{address}</setting><setting id="epgCache">false</setting>
</settings>"""
_SETTINGS: Final = """<settings version="2"><setting id="services.webserver">true</setting>
<setting id="services.webserverport">{port}</setting>
<setting id="services.webserverauthentication">false</setting></settings>"""


class _Kodi:
    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/jsonrpc"

    def ask(self, method: str, **params: object) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(self._address, json.dumps(body).encode(), headers), timeout=10) as answer:
            return json.load(answer)["result"]

    def episodes(self) -> list[tuple[str, str]]:
        """The titles and the names of episodes of the channel, once Kodi has it."""
        channels = self.ask("PVR.GetChannels", channelgroupid="alltv")["channels"]
        [channel_id] = [one["channelid"] for one in channels if one["label"] == _CHANNEL]
        asked = {"channelid": channel_id, "properties": ["title", "episodename"]}
        found = self.ask("PVR.GetBroadcasts", **asked)["broadcasts"]
        return [(one["title"], one["episodename"]) for one in found]


@pytest.fixture
def stage() -> Stage:
    """One service, today by the real clock, because Kodi leaves out what is older than a day."""
    now = datetime.now(UTC).replace(microsecond=0)
    stage = Stage(clock=FakeClock(now))
    stage.delivery.mirror.confirmed_at = now
    _publish(stage, "The Lantern", 1)
    return stage


@pytest.fixture
def address(stage: Stage) -> Iterator[str]:
    port, key = find_free_port(), stage.client.headers["Authorization"].removeprefix("Bearer ")
    server = uvicorn.Server(uvicorn.Config(stage.client.app, "127.0.0.1", port, log_level="warning"))
    thread = Thread(target=server.run)
    thread.start()
    yield f"http://127.0.0.1:{port}/players/{key}/guide.xml.gz"
    server.should_exit = True
    thread.join()


@pytest.fixture
def kodi(address: str, tmp_path: Path) -> Iterator[_Kodi]:
    data, port = tmp_path / ".kodi/userdata", find_free_port()
    playlist, client = tmp_path / "list.m3u", data / "addon_data/pvr.iptvsimple/settings.xml"
    client.parent.mkdir(parents=True)
    channel = f'#EXTINF:-1 tvg-id="alder-one.schedules.example",{_CHANNEL}'
    playlist.write_text(f"#EXTM3U\n{channel}\nhttp://127.0.0.1:9/none.ts\n")
    client.write_text(_CLIENT_SETTINGS.format(playlist=playlist, address=address))
    (data / "guisettings.xml").write_text(_SETTINGS.format(port=port))
    command = ["xvfb-run", "-a", str(_KODI), "--standalone", "-n"]
    process = subprocess.Popen(
        command,
        env=os.environ | {"HOME": str(tmp_path), "LIBGL_ALWAYS_SOFTWARE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    yield _Kodi(port)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _publish(stage: Stage, title: str, seq: int) -> None:
    now = stage.clock()
    key = ScheduleKey(ALDER, now.date())
    start = datetime(now.year, now.month, now.day, 6, tzinfo=UTC)
    shown = [
        showing(n, start + timedelta(hours=n), 60, episode_pid=Pid(f"p000000{n}"), title=f"{title} {n}")
        for n in range(10)
    ]
    stage.publish(schedule(key, shown, seq, now))


def _eventually(work: Callable[[], object]) -> None:
    """Until it does not fail. Kodi tells nobody when it has started or has read a guide."""
    deadline = time.monotonic() + _WITHIN_SECONDS
    while True:
        try:
            work()
        except (OSError, ValueError, KeyError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


@pytest.mark.long
@pytest.mark.skipif(
    not (_KODI.exists() and _CLIENT.exists() and which("xvfb-run")), reason="Kodi is not installed"
)
def test_kodi_shows_the_guide_and_follows_a_change(stage: Stage, kodi: _Kodi) -> None:
    """Every programme with its title and episode, and the new ones after a publication, at its own refresh."""

    def has(title: str) -> None:
        assert kodi.episodes() == [("Quiet Viaduct", f"{title} {n}") for n in range(10)]

    _eventually(lambda: kodi.ask("Addons.SetAddonEnabled", addonid="pvr.iptvsimple", enabled=True))
    _eventually(lambda: has("The Lantern"))
    _publish(stage, "Another Lantern", 2)
    stage.advance(timedelta(minutes=1))
    _eventually(lambda: has("Another Lantern"))
