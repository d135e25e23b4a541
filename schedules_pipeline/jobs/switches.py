"""The switches of sensors and timers: which of them an operator has switched off in Dagster."""

from collections.abc import Iterable, Sequence

import dagster as dg
import structlog
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def stored_states(
    instance: dg.DagsterInstance, kind: InstigatorType | None = None
) -> Sequence[InstigatorState]:
    """The states of sensors and timers, of all code locations. An instance in memory stores none."""
    return instance.all_instigator_state(instigator_type=kind) if instance.schedule_storage else ()


def names_off(states: Iterable[InstigatorState]) -> frozenset[str]:
    """A sensor without a stored state has its default: on."""
    return frozenset(state.instigator_name for state in states if not state.is_running)


class Switches:
    """The sensors that are off, as Dagster last answered."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._off: frozenset[str] = frozenset()

    def is_off(self, sensor: str) -> bool:
        return sensor in self._off

    def ask(self) -> None:
        try:
            self._off = names_off(stored_states(self._instance, InstigatorType.SENSOR))
        except Exception as error:  # noqa: BLE001 - publishing goes on without Dagster's database
            _log.warning("Dagster does not say which sensors are off", error=str(error))
