"""How workflows count their results, their durations and their failures."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.counters import Counter, Timer


@dataclass(frozen=True, slots=True)
class Tally:
    """What to add to the counters and timers of the store."""

    amounts: Mapping[Counter, int]
    durations: Mapping[Timer, Sequence[float]] = field(default_factory=dict)


class Workflow(Protocol):
    """A workflow whose methods can be :func:`counted`."""

    @property
    def store(self) -> PublishingStore: ...

    @property
    def clock(self) -> Clock: ...


_P = ParamSpec("_P")
_R = TypeVar("_R")
_W = TypeVar("_W", bound=Workflow)
_Method = Callable[Concatenate[_W, _P], _R]


def counted(
    failures: Counter, duration: Timer, tally: Callable[[_R, datetime], Tally]
) -> Callable[[_Method[_W, _P, _R]], _Method[_W, _P, _R]]:
    """Count the results of a method by ``tally``, and time it; or, if it raises, count a failure.

    A failure goes uncounted if the store does not answer. The alarms report the store itself.
    """

    def decorate(method: _Method[_W, _P, _R]) -> _Method[_W, _P, _R]:
        @wraps(method)
        def counting(workflow: _W, *args: _P.args, **kwargs: _P.kwargs) -> _R:
            began = time.perf_counter()
            try:
                result = method(workflow, *args, **kwargs)
                found = tally(result, workflow.clock())
                seconds = [time.perf_counter() - began]
                workflow.store.counters.add(found.amounts, {**found.durations, duration: seconds})
            except Exception:
                with suppress(ServiceError):
                    workflow.store.counters.add({failures: 1})
                raise
            return result

        return cast("_Method[_W, _P, _R]", counting)

    return decorate
