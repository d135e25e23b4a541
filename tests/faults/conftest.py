"""The stack that the tests of faults strike, and the measurement of each recovery."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from faults.stack import Stack, running_stack
from from_scratch import coldstart

Recovers = Callable[[str], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def stack(
    redis_executable: Path, emulator_executable: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """All processes running, with all schedules published."""
    with running_stack(tmp_path_factory.mktemp("faults"), redis_executable, emulator_executable) as stack:
        yield stack


@pytest.fixture
def recovers(stack: Stack, record_property: Callable[[str, object], None]) -> Recovers:
    """A block in which a fault strikes during changes, and is mended.

    After the block the changes stop. The stack must then catch up and be sound, and the time is recorded.
    """

    @contextmanager
    def fault(name: str) -> Iterator[None]:
        with stack.world.changing():
            stack.wait_for_the_middle()
            struck_at = time.monotonic()
            yield
            mended_at = time.monotonic()
        stack.wait_until_caught_up(coldstart(stack.world.sources(), stack.world.keys))
        caught_up_at = time.monotonic()
        record_property("fault", (name, mended_at - struck_at, caught_up_at - mended_at))
        stack.assert_sound()

    return fault
