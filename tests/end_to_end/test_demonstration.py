"""The whole demonstration as a user starts it: the test reads its output and runs the printed commands."""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pytest

from demo.sample import Sample, make_sample
from demo.servers import find_free_port
from schedules_pipeline.domain.identifiers import Pid, Sid
from schedules_pipeline.history.recorded import CatalogueUpdated, HistoryEvent, SchedulePut, write_history

pytestmark = pytest.mark.end_to_end

_PATIENCE_SECONDS = 120.0
_CHANGES = 3_000
_SID = "alder_one_north"
_REPOSITORY = Path(__file__).parents[2]
_MARKED_COMMANDS = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def curl() -> None:
    """The printed commands need curl."""
    if shutil.which("curl") is None:
        if os.environ.get("CI"):
            pytest.fail("no curl")
        pytest.skip("no curl")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """One schedule of today, and then a brand that is given another title each ten minutes."""
    now = datetime.now(UTC)
    sample = make_sample(now.date(), days=1, clock_change_days=False)
    schedule = sample.schedules[_SID, now.date()]
    schedule["broadcasts"] = [b for b in schedule["broadcasts"] if not b["is_blanked"]][:3]
    path = tmp_path / "history.jsonl.gz"
    write_history(path, _events(sample, schedule, now - timedelta(days=90)))
    return path


def _events(sample: Sample, schedule: dict[str, Any], begin: datetime) -> Iterator[HistoryEvent]:
    items = {pid: sample.catalogue[pid] for b in schedule["broadcasts"] for pid in _lineage(sample, b)}
    for pid, item in items.items():
        yield CatalogueUpdated(begin, item, item["type"], Pid(pid))
    yield SchedulePut(begin, schedule, Sid(_SID), datetime.fromisoformat(schedule["date"]).date())
    shown = items[schedule["broadcasts"][0]["episode_pid"]]
    for number in range(_CHANGES):
        at = begin + timedelta(hours=2, minutes=10 * number)
        yield CatalogueUpdated(at, {**shown, "title": f"Another {number}"}, shown["type"], Pid(shown["pid"]))


def _lineage(sample: Sample, broadcast: dict[str, Any]) -> Iterator[str]:
    pid = broadcast["episode_pid"]
    while pid is not None and pid in sample.catalogue:
        yield pid
        pid = sample.catalogue[pid].get("parent_pid")


@dataclass
class Terminal:
    """The output of a process, line by line."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str | None]
    printed: list[str]

    def read_until(self, is_it: Callable[[str], bool]) -> str:
        while True:
            line = self.lines.get(timeout=_PATIENCE_SECONDS)
            assert line is not None, f"it ended: {self.printed[-10:]}"
            self.printed.append(line)
            if is_it(line):
                return line

    def named(self, what: str) -> str:
        """The latest printed line that begins with these words, without them."""
        return next(line for line in reversed(self.printed) if line.startswith(what))[len(what) :].strip()


@contextmanager
def _terminal(command: list[str], directory: Path) -> Iterator[Terminal]:
    """Start a command in a directory, and end it with the block if it still runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCHEDULES_")}
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell's commands are ended with it.
        process_group=0,
    )
    terminal = Terminal(process, queue.Queue(), [])
    reader = Thread(target=_read, args=(process, terminal.lines), daemon=True)
    reader.start()
    try:
        yield terminal
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        reader.join(60)
        if process.stdout is not None:
            process.stdout.close()


def _read(process: subprocess.Popen[str], lines: "queue.Queue[str | None]") -> None:
    for line in process.stdout or ():
        lines.put(line.rstrip("\n"))
    lines.put(None)


@pytest.mark.usefixtures("curl")
def test_what_the_demonstration_prints_can_be_done(
    history: Path, emulator_executable: Path, tmp_path: Path
) -> None:
    """The page shows the guide, one command gets a schedule of today, another follows the feed, and a webhook arrives.

    The partner's key is in no log, and SIGTERM stops everything.
    """
    run = tmp_path / "run"
    ports = [f"--{name}-port={find_free_port()}" for name in ("web", "delivery")]
    demonstration = [sys.executable, "-m", "demo", "--no-open", *ports]
    replay = [f"--replay={history}", "--speed=600", f"--directory={run}", f"--emulator={emulator_executable}"]

    with _terminal([*demonstration, *replay], tmp_path) as terminal:
        terminal.read_until(lambda line: line.startswith("the guide"))
        terminal.read_until(lambda line: line == "Ctrl-C stops everything.")
        guide, schedule, feed = (terminal.named(what) for what in ("the guide", "a schedule", "the feed"))
        page = _sign_in(guide.removesuffix("(signs in once)").strip())
        shown = _shell(schedule, tmp_path)
        _run_marked_commands(tmp_path)
        with _terminal(["/bin/sh", "-c", f"{feed} --no-progress-meter"], tmp_path) as stream:
            stream.read_until(lambda line: line == "event: change")
            change = json.loads(stream.read_until(lambda line: line.startswith("data: ")).partition(" ")[2])
        webhook = terminal.read_until(lambda line: re.match(r"[\d:]{8}  webhook  ", line) is not None)
        terminal.process.send_signal(signal.SIGTERM)
        terminal.read_until(lambda line: line == "stopped")
        assert terminal.process.wait(60) == 0

    today = datetime.now(UTC).date().isoformat()
    assert "Alder One North" in page
    assert (shown["sid"], shown["date"]) == (_SID, today)
    assert (change["sid"], change["date"], change["removed"]) == (_SID, today, False)
    assert f"{_SID}/{today} seq " in webhook
    assert "signature verified" in webhook
    _assert_kept_secret(run)


def _sign_in(address: str) -> str:
    """Do what a browser does with the address. Returns the guide's page."""
    page, _, link = address.partition("#link=")
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
    with browser.open(page) as form:
        assert 'name="link"' in form.read().decode()
    with browser.open(page, data=urlencode({"link": link}).encode()) as guide:
        assert guide.url.endswith("/guide")
        text: str = guide.read().decode()
        return text


def _shell(line: str, directory: Path) -> dict[str, Any]:
    finished = subprocess.run(["/bin/sh", "-c", line], cwd=directory, capture_output=True, check=True)
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def _run_marked_commands(directory: Path) -> None:
    """The marked commands of the documents, in a directory that looks like a checkout."""
    (directory / ".run").symlink_to(directory / "run")
    (directory / ".venv").symlink_to(Path(sys.executable).parents[1])
    documents = [(_REPOSITORY / "docs" / name).read_text() for name in ("tutorial.md", "reference/api.md")]
    blocks = [block for text in documents for block in _MARKED_COMMANDS.findall(text)]

    assert len(blocks) > 4
    for block in blocks:
        finished = subprocess.run(
            ["/bin/sh", "-c", f". .run/environment\n{block}"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, block
        assert finished.stdout
        assert not finished.stderr
        assert "/problems/" not in finished.stdout


def _assert_kept_secret(directory: Path) -> None:
    environment = directory / "environment"
    (key,) = re.findall(r"^export SCHEDULES_API_KEY=(.+)$", environment.read_text(), re.MULTILINE)
    written = [path for path in directory.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]

    assert re.fullmatch(r"sk_\w+_\w+", key)
    assert written == [environment]
    assert environment.stat().st_mode & 0o777 == 0o600
