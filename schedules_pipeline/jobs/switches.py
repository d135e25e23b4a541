"""The switches of sensors and timers: which of them an operator has switched off in Dagster."""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Self

import dagster as dg
import structlog
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState

_ASKED_EVERY_SECONDS = 2.0
_LONGEST_FIRST_ANSWER_SECONDS = 3.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def stored_states(
    instance: dg.DagsterInstance, kind: InstigatorType | None = None
) -> Sequence[InstigatorState]:
    """The states of sensors and timers, of all code locations. An instance in memory stores none."""
    return instance.all_instigator_state(instigator_type=kind) if instance.schedule_storage else ()


def names_off(states: Iterable[InstigatorState]) -> frozenset[str]:
    """A sensor without a stored state has its default: on."""
    return frozenset(state.instigator_name for state in states if not state.is_running)


class FollowedSwitches:
    """Asks Dagster every two seconds which sensors are off, in a thread, because its database may be slow.

    ``tell``: gets their names after each answer. While Dagster does not answer, its last answer holds. The ``with``
    block begins after the first answer, or without it after three seconds.
    """

    def __init__(self, instance: dg.DagsterInstance, tell: Callable[[Collection[str]], None]) -> None:
        self._instance = instance
        self._tell = tell
        self._was_asked = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following Dagster", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._was_asked.wait(_LONGEST_FIRST_ANSWER_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    def _follow(self) -> None:
        self._ask()
        self._was_asked.set()
        while not self._is_over.wait(_ASKED_EVERY_SECONDS):
            self._ask()

    def _ask(self) -> None:
        try:
            off = names_off(stored_states(self._instance, InstigatorType.SENSOR))
        except Exception as error:  # noqa: BLE001 - publishing goes on without Dagster's database
            _log.warning("Dagster does not say which sensors are off", error=str(error))
        else:
            self._tell(off)
