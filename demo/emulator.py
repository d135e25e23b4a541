"""Starts MiniStack with the long polls of SQS, which end when a message arrives.

MiniStack alone looks for messages every 100 ms, longer than a change takes from its notification to the partner. It
still looks so often for messages whose delay or visibility timeout has ended. This script runs in the environment of
the emulator, so it imports nothing of this repository.
"""

import asyncio
import sys
from contextlib import suppress
from types import SimpleNamespace

from ministack.app import main
from ministack.core.concurrency import esm_wake
from ministack.services import sqs

_polls: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
_wake_others = esm_wake.set


async def _wait_for_message(seconds: float) -> None:
    poll = asyncio.get_running_loop(), asyncio.Event()
    _polls.add(poll)
    with suppress(TimeoutError):
        await asyncio.wait_for(poll[1].wait(), seconds)
    _polls.discard(poll)


def _message_arrived() -> None:
    """Called by S3, SNS and SQS, on any thread, after they have put a message into a queue."""
    _wake_others()
    for loop, arrived in list(_polls):
        loop.call_soon_threadsafe(arrived.set)


if __name__ == "__main__":
    esm_wake.set = _message_arrived
    sqs.asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": _wait_for_message})
    sys.exit(main())
