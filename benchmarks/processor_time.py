"""The processor time of a stream of changes, by the part of the system that took it: who takes the machine."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Self

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PARTS = {
    "publisher": ("forkserver",),
    "recording": ("schedules_pipeline.jobs.recording_process",),
    "receiving": ("schedules_pipeline.jobs.receiving_process",),
    "emulator": ("demo/emulator.py",),
    "Redis": ("valkey-server",),
    "Postgres": ("/bin/postgres", "postgres:"),
    "delivery": ("schedules_pipeline.delivery",),
    "webserver": ("dagster_webserver",),
    "daemon": ("dagster._daemon", "dagster-daemon", "dagster daemon"),
    "code server": ("schedules_pipeline.code_server",),
}
"""A part is known by a word of its command line; the first that matches counts. Runs are forked by the code server."""


class ProcessorTime:
    """``seconds``: while the block ran, by part, of this process and of those that it has started."""

    def __init__(self) -> None:
        self.seconds: Mapping[str, float] = {}

    def __enter__(self) -> Self:
        self._before = _by_process()
        return self

    def __exit__(self, *_: object) -> None:
        spent: dict[str, float] = defaultdict(float)
        for (__, part), seconds in _by_process().items():
            spent[part] += seconds
        for (__, part), seconds in self._before.items():
            spent[part] -= seconds
        self.seconds = dict(sorted(spent.items(), key=itemgetter(1), reverse=True))


def _by_process() -> dict[tuple[int, str], float]:
    """By process id and part, in seconds of processor time."""
    children: dict[int, list[int]] = defaultdict(list)
    found: dict[int, float] = {}
    for pid, parent, seconds in _processes():
        children[parent].append(pid)
        found[pid] = seconds
    family = [os.getpid()]
    for pid in family:
        family += children[pid]
    return {(pid, _part(pid)): found[pid] for pid in family if pid in found}


def _processes() -> Iterator[tuple[int, int, float]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        # Its own time and that of its children that have ended.
        yield int(path.parent.name), int(fields[1]), sum(map(int, fields[11:15])) / _TICKS_A_SECOND


def _part(pid: int) -> str:
    if pid == os.getpid():
        return "sender"
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "others"
    return next((part for part, words in _PARTS.items() if any(w in command for w in words)), "others")
