"""Doing something again and again while a block lasts, on a thread of its own: what keeps a lease alive."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from schedules_pipeline.errors import ServiceError


@contextmanager
def beating(beat: Callable[[], None], every_seconds: float, at_most_seconds: float) -> Iterator[None]:
    """Call ``beat`` at each interval until the block ends, or the time is over: a block that hangs must not
    hold on to what it has for ever. A store that does not answer is asked again at the next interval.
    """
    over = threading.Event()

    def run() -> None:
        for _ in range(int(at_most_seconds / every_seconds)):
            if over.wait(every_seconds):
                return
            with suppress(ServiceError):
                beat()

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
