"""How the interpreter of a process is set in which threads wait for Redis, and must go on soon after its answers."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_INTERVAL_SECONDS = 0.0005
"""Python's default is 0.005: after each answer of Redis, a thread would wait so long for another one that computes."""

_COLLECTION_THRESHOLDS = 10_000, 20, 100
"""Python's default is 700, 10, 10: at a hundred changes a second, collections would take a tenth of publishing."""


@contextmanager
def quick_threads() -> Iterator[None]:
    """Until the block ends. Imported modules stay excluded from collections of garbage, which interrupt the threads."""
    gc.freeze()
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    gc.set_threshold(*_COLLECTION_THRESHOLDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
