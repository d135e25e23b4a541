"""What the players that run as a whole have in common: an address that they fetch, and changes that they shall see."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Final

import uvicorn
from delivery.asking import Stage
from delivery.guides import ALDER, schedule, showing
from fakes import FakeClock

from demo.servers import find_free_port
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.settings import Settings

CHANNEL_ID: Final = "alder-one.schedules.example"
PROGRAMMES: Final = 10
_PICTURES: Final = "https://images.example/{image_pid}.jpg"
_WITHIN_SECONDS: Final = 180
"""Kodi refreshes the guide once a minute at most."""


class Watched:
    """One service, with :data:`PROGRAMMES` of an hour each from ``first`` on, in an hour by the real clock, because
    players leave out what is over.
    """

    def __init__(self) -> None:
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self.first = now + timedelta(hours=1)
        self.stage = Stage(clock=FakeClock(now), settings=Settings(image_url_template=_PICTURES))
        self.stage.delivery.mirror.confirmed_at = now
        self._seq = 0

    def publish(self, title: str) -> None:
        """Each programme is an episode with this title and its number; every third is a repeat."""
        self._seq += 1
        shown = [
            showing(
                number,
                self.first + timedelta(hours=number),
                60,
                episode_pid=Pid(f"p{number:07}"),
                title=f"{title} {number}",
                is_repeat=number % 3 == 0,
            )
            for number in range(PROGRAMMES)
        ]
        now = self.stage.clock()
        self.stage.publish(schedule(ScheduleKey(ALDER, now.date()), shown, self._seq, now))
        self.stage.advance(timedelta(minutes=1))

    @contextmanager
    def address(self, name: str) -> Iterator[str]:
        """Of the guide as a file with this name, while the context lasts."""
        port, client = find_free_port(), self.stage.client
        key = client.headers["Authorization"].removeprefix("Bearer ")
        server = uvicorn.Server(uvicorn.Config(client.app, "127.0.0.1", port, log_level="warning"))
        thread = Thread(target=server.run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/players/{key}/{name}"
        finally:
            server.should_exit = True
            thread.join()


def eventually(work: Callable[[], object]) -> None:
    """Until it does not fail. Players tell nobody when they have started or have read a guide."""
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
