"""``python -m schedules_pipeline.delivery.renderer``: renders answers outside of the process that sends them.

Reads tasks from its standard input until that ends, and writes the outcome of each to its standard output. A task is a
pickled function without arguments; both programs are of one release, and nobody else writes to the pipe.
"""

import gc
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import BinaryIO

LENGTH_BYTES = 8
_LESS_URGENT = 10
"""The process that answers comes first. With 19, a machine that others keep busy would leave next to nothing, and a
digest would take its :data:`~schedules_pipeline.delivery.rendering.LONGEST_SECONDS` and fail.
"""

_IMPORTED_AHEAD = (
    "selections",
    "guide.rendering",
    "questions.answers",
    "questions.catalogue_feeds",
    "questions.televisions",
)
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


Outcome = tuple[object, Exception | None]
"""The result and no error, or no result and the error."""


def read_message(stream: BinaryIO) -> bytes | None:
    """None at the end of the stream, also within a message."""
    length = int.from_bytes(stream.read(LENGTH_BYTES) or b"")
    message = stream.read(length) if length else b""
    return message if length and len(message) == length else None


def write_message(stream: BinaryIO, message: bytes) -> None:
    stream.write(len(message).to_bytes(LENGTH_BYTES))
    stream.write(message)
    stream.flush()


def perform(task: bytes) -> bytes:
    """The pickled outcome. An error that cannot be pickled is replaced by its text."""
    try:
        work: Callable[[], object] = pickle.loads(task)  # noqa: S301 - the parent process wrote it
        return pickle.dumps((work(), None), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - the parent process decides what it means
        error.add_note(traceback.format_exc())
        try:
            return pickle.dumps((None, error), pickle.HIGHEST_PROTOCOL)
        except Exception:  # noqa: BLE001 - anything may be in an error
            return pickle.dumps((None, RuntimeError(traceback.format_exc())))


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks, outcomes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # A library that prints must not write into the outcomes.
    os.dup2(2, 1)
    for name in _IMPORTED_AHEAD:
        import_module(f"schedules_pipeline.delivery.{name}")
    # Only now, so that the first request does not wait for the imports.
    os.nice(_LESS_URGENT)
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    while (task := read_message(tasks)) is not None:
        write_message(outcomes, perform(task))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
