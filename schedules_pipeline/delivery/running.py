"""The background threads: one follows the change feed, the other loads partners and the switch record.

There are two, so that a store that rejects writes, which the second needs, does not delay changes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from schedules_pipeline.delivery.follower import Follower, Update
from schedules_pipeline.delivery.partner_upkeep import exchange_usage
from schedules_pipeline.delivery.rounds import attempt
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.maintenance.continuity import ContinuityObserver
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess

_UPKEEP_EVERY_SECONDS = 2.0
_STOPPED_WITHIN_SECONDS = 10.0


@contextmanager
def background_threads(delivery: Delivery, apply: Callable[[Update], None]) -> Iterator[None]:
    """Update ``delivery`` from its store for as long as the context lasts. ``apply`` is called in the follower's
    thread.
    """
    store, stop = delivery.store, Event()
    observer = ContinuityObserver(store.continuity, "the delivery service", delivery.clock)
    follower = Follower(store.feed, store.schedules, observer, apply, delivery.clock)
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
    """One round: read the switch, exchange partners and usage, record a heartbeat, then read the sessions."""

    def run_upkeep() -> None:
        delivery.switched.refresh(delivery.store.served)
        exchange_usage(delivery.admission, delivery.store.partners, delivery.clock)
        delivery.store.heartbeats.record(DeliveryProcess.DELIVERY, delivery.clock())
        delivery.sessions.refresh(delivery.store.sign_ins)

    return run_upkeep


def _repeat(action: Callable[[], None], stop: Event) -> None:
    """Until ``stop`` is set, and once more after it, so that the last counts are stored."""
    is_failing = is_last = False
    while not is_last:
        is_last = stop.is_set()
        is_failing = attempt(action, "upkeep", was_failing=is_failing)
        stop.wait(_UPKEEP_EVERY_SECONDS)
