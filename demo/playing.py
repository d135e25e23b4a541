"""Sends the scenario's changes upstream at their times, and narrates what follows."""

import time
from collections.abc import Callable
from functools import partial
from itertools import count

from botocore.exceptions import BotoCoreError, ClientError
from redis.exceptions import RedisError

from demo.console import clock_time, utc_now
from demo.narrator import Narrator
from demo.partner_side import describe_received
from demo.scenarios import Scenario
from demo.upstream import Upstream
from demo.webhook_receiver import WebhookReceiver
from schedules_pipeline.domain.printable import printable
from schedules_pipeline.errors import ServiceError

Say = Callable[[str], None]
Pause = Callable[[float], None]

_NARRATE_EVERY_SECONDS = 0.25
_RETRY_AFTER_SECONDS = 1.0


class Player:
    """Plays a scenario. ``pause`` sleeps for a number of seconds."""

    def __init__(
        self,
        upstream: Upstream,
        narrator: Narrator,
        receiver: WebhookReceiver,
        check_servers: Callable[[], None],
        say: Say,
        pause: Pause,
    ) -> None:
        self._upstream = upstream
        self._narrator = narrator
        self._check_servers = check_servers
        self._receiver = receiver
        self._say = say
        self._pause = pause

    def play(self, scenario: Scenario) -> None:
        """Send every change, then narrate until the process is interrupted."""
        for wait, change in scenario.changes:
            self._narrate_for(wait)
            self._say(f"{clock_time(utc_now())}  change     {change.description}")
            self._retry(partial(self._upstream.apply, change))
        self._say(scenario.at_the_end)
        while True:
            self._narrate_for(1.0)

    def _narrate_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            self._check_servers()
            self._retry(self._narrator.catch_up)
            if line := describe_received(self._receiver.drain()):
                self._say(f"{clock_time(utc_now())}  webhook    {line}")
            left = until - time.monotonic()
            if left <= 0:
                return
            self._pause(min(left, _NARRATE_EVERY_SECONDS))

    def _retry(self, act: Callable[[], object]) -> None:
        def pause(seconds: float) -> None:
            # What does not answer may have ended.
            self._check_servers()
            self._pause(seconds)

        retry_until_answered(act, self._say, pause)


def retry_until_answered(act: Callable[[], object], say: Say, pause: Pause) -> None:
    """Call ``act`` until Redis and the emulator answer, since a user may stop either of them to see the effect.

    Prints one line about the first failure, and one about the recovery.
    """
    for attempt in count():
        try:
            act()
        except (ServiceError, RedisError, BotoCoreError, ClientError) as error:
            if not attempt:
                say(f"{clock_time(utc_now())}  no answer  {printable(str(error))}; retrying every second")
            pause(_RETRY_AFTER_SECONDS)
        else:
            if attempt:
                say(f"{clock_time(utc_now())}  answers    again")
            return
