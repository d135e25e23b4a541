"""Lines on the terminal, the time of day in front of them, and files that an argument names."""

import os
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path


def say(line: str) -> None:
    """Print a line at once, also where the output is a pipe."""
    print(line, flush=True)


def input_file(text: str) -> Path:
    """An argument that names a regular file. A pipe is none: a history is read twice, and an empty pipe has no end."""
    if not Path(text).is_file():
        raise ArgumentTypeError(f"{text} is no file")
    if not os.access(text, os.R_OK):
        raise ArgumentTypeError(f"{text} cannot be read")
    return Path(text)


def utc_now() -> datetime:
    return datetime.now(UTC)


def clock_time(instant: datetime) -> str:
    """The local time of day, in whole seconds."""
    return f"{instant.astimezone():%H:%M:%S}"


class Progress:
    """Prints a line each time another tenth is done."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if tenth > self._shown:
            self._shown = tenth
            say(f"{self._what}: {done} of {total}")
