"""Totals and durations that every process counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

DURATION_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)


"""Seconds, ascending: durations are counted by the first of these that they do not exceed."""


NO_DURATIONS: Final[Mapping[str, Sequence[float]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took, all times that it was done. ``counts``: how often, for each of
    :data:`DURATION_BOUNDS`, and last how often it took longer than all of them. ``seconds``: together.
    """

    counts: tuple[int, ...] = (0,) * (len(DURATION_BOUNDS) + 1)
    seconds: float = 0.0


class CounterStore(Protocol):
    """Totals by name, since the keyspace began, of all processes; a redelivered message counts twice."""

    def add(
        self, amounts: Mapping[str, int], durations: Mapping[str, Sequence[float]] = NO_DURATIONS
    ) -> None:
        """Count; ``durations`` are the seconds that something took, each time that it was done. All at once,
        so that measuring adds nothing to what counting costs.
        """

    def all(self) -> dict[str, int]: ...

    def durations(self) -> dict[str, Durations]: ...
