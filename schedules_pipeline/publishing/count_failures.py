"""How workflows count what went wrong with them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.counters import CounterStore


@contextmanager
def counting_failures(counters: CounterStore, name: str) -> Iterator[None]:
    """Count under this name if the block raises, and let it raise. A failure that the store is the reason of
    goes uncounted: there is nowhere to count it, and the alarms tell of the store itself.
    """
    try:
        yield
    except Exception:
        with suppress(ServiceError):
            counters.add({name: 1})
        raise
