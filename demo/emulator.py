"""Starts MiniStack with the long polls of SQS, which end when a message arrives, and on a quick server of HTTP.

MiniStack alone looks for messages every 100 ms, longer than a change takes from its notification to the partner. It
still looks so often for messages whose delay or visibility timeout has ended. Its own server takes 0.3 ms of processor
time more for a request, which tests and benchmarks wait for; it serves where uvicorn is not installed. This script runs
in the environment of the emulator, so it imports nothing of this repository.
"""

import asyncio
import sys
from contextlib import nullcontext, suppress
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import hypercorn.asyncio
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


async def _serve(app: Any, config: Any) -> None:
    """In place of hypercorn's function. Signals are MiniStack's."""
    import uvicorn

    host, _, port = config.bind[0].rpartition(":")
    quick = uvicorn.Config(
        app,
        host=host,
        port=int(port),
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=int(config.keep_alive_timeout),
    )
    server: Any = uvicorn.Server(quick)
    server.capture_signals = nullcontext
    await server.serve()


if __name__ == "__main__":
    esm_wake.set = _message_arrived
    sqs.asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": _wait_for_message})
    if all(map(find_spec, ("uvicorn", "httptools"))):
        hypercorn.asyncio.serve = _serve
    sys.exit(main())
