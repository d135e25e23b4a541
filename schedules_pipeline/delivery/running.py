"""The background threads: one follows the change feed, the other loads partners and the switch record.

There are two, so that a store that rejects writes, which the second needs, does not delay changes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import structlog

from schedules_pipeline.delivery.follower import Audience, Follower
from schedules_pipeline.delivery.partner_upkeep import keep_up
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess

_UPKEEP_EVERY_SECONDS = 2.0
_STOPPED_WITHIN_SECONDS = 10.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@contextmanager
def kept_up(delivery: Delivery, audience: Audience) -> Iterator[None]:
    """Update ``delivery`` from its store for as long as the context lasts."""
    store, stop = delivery.store, Event()
    follower = Follower(store.feed, store.schedules, store.coldstarts, audience, delivery.clock)
    threads = [
        Thread(target=follower.run, args=(stop,), name="follower", daemon=True),
        Thread(target=_repeat, args=(upkeep_of(delivery), stop), name="upkeep", daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(_STOPPED_WITHIN_SECONDS)


def upkeep_of(delivery: Delivery) -> Callable[[], None]:
    """One round: read the switch, exchange partners and usage, then record a heartbeat."""

    def keep_everything_up() -> None:
        delivery.switched.refresh(delivery.store.served)
        keep_up(delivery.admission, delivery.store.partners, delivery.clock)
        delivery.store.heartbeats.record(DeliveryProcess.DELIVERY, delivery.clock())

    return keep_everything_up


def _repeat(action: Callable[[], None], stop: Event) -> None:
    """Until ``stop`` is set, and once more after it, so that the last counts are stored."""
    is_away = False
    while True:
        is_last = stop.is_set()
        try:
            action()
            if is_away:
                _log.info("upkeep goes on")
            is_away = False
        except Exception as error:  # noqa: BLE001 - if this thread ended, revoked keys would stay valid
            if not is_away:
                is_ours = not isinstance(error, PipelineError)
                _log.warning("upkeep interrupted", error=str(error), exc_info=is_ours)
            is_away = True
        if is_last:
            return
        stop.wait(_UPKEEP_EVERY_SECONDS)
