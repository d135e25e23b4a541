"""Several watchers at once over one store: which notices they deliver together."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Lock

from fakes import FakeClock, fake_upstreams

from schedules_pipeline.composition import Store
from schedules_pipeline.health.check_health import HealthCheck
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.incidents import Notice, Phase
from schedules_pipeline.health.ports import DagsterSnapshot, FailedRun
from schedules_pipeline.health.watch import Watch

_WATCHERS = 4
_RUN = FailedRun("reconcile", "r1", datetime(2026, 3, 28, 11, tzinfo=UTC))


class Listener:
    channel = "ear"

    def __init__(self) -> None:
        self.heard: list[Notice] = []
        self._lock = Lock()

    def send(self, notice: Notice) -> None:
        with self._lock:
            self.heard.append(notice)


def test_watchers_at_once_deliver_every_notice_once(store: Store) -> None:
    """Over several incidents each alarm and each all-clear is delivered once, in turn."""
    clock, listener = FakeClock(), Listener()
    upstreams = fake_upstreams(clock, Random(0)).as_upstreams()
    watches = [Watch(HealthCheck(store, upstreams, clock), [listener]) for _ in range(_WATCHERS)]
    with ThreadPoolExecutor(_WATCHERS) as pool:
        for failed in ([_RUN] * 2 + [None] * 5) * 3:
            found = DagsterSnapshot(clock(), (failed,) if failed else ())
            list(pool.map(lambda watch: watch.check(found), watches))  # noqa: B023 - used up within the round
            clock.advance(timedelta(seconds=30))

    heard = [notice for notice in listener.heard if notice.name is ConditionName.RUNS_FAILED]

    assert [notice.phase for notice in heard] == [Phase.RAISED, Phase.CLEARED] * 3
    assert len({notice.id for notice in heard}) == len(heard)
