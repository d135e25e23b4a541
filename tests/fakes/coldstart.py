"""The fake coldstart store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from fakes.conditions import Conditions, Fake, FakeClock, answered, step
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.maintenance.continuity import Epoch
from schedules_pipeline.maintenance.ports import Coldstart, Request, Stage


class FakeColdstartStore(Fake):
    """Implements :class:`ColdstartStore`."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self._clock = clock
        self._latest: Coldstart | None = None
        self._left: dict[ScheduleKey, int] = {}
        self._leader = ""
        self._leads_until = self._paused_until = clock()
        self.current_epoch: Epoch | None = None

    @answered
    @step
    def open(self, coldstart_id: str, request: Request) -> Coldstart:
        if self._latest is None or self._latest.stage.is_final:
            self._latest, self._left, self._leader = Coldstart(coldstart_id, request, Stage.REQUESTED), {}, ""
        return self._latest

    @answered
    @step
    def latest(self) -> Coldstart | None:
        return self._latest

    @answered
    @step
    def lead(self, coldstart_id: str, worker: str, now: datetime, lease_for: timedelta) -> bool:
        latest = self._find(coldstart_id)
        if latest is None or latest.stage not in (Stage.REQUESTED, Stage.PREPARING):
            return False
        if self._leader not in ("", worker) and self._clock() < self._leads_until:
            return False
        self._leader, self._leads_until = worker, self._clock() + lease_for
        self._latest = replace(latest, stage=Stage.PREPARING, alive_at=now)
        return True

    @answered
    @step
    def confirm(self, coldstart_id: str) -> None:
        latest = self._find(coldstart_id)
        if latest is not None:
            self._latest = replace(latest, is_confirmed=True)

    @answered
    @step
    def list_work(self, coldstart_id: str, shards: Sequence[Sequence[ScheduleKey]], now: datetime) -> None:
        latest = self._find(coldstart_id)
        if latest is not None and latest.stage is Stage.PREPARING:
            self._left = {key: number for number, keys in enumerate(shards) for key in keys}
            count = len(self._left)
            self._latest = replace(latest, stage=Stage.BUILDING, total=count, left=count, building_since=now)

    @answered
    @step
    def next_keys(self, coldstart_id: str, shard: int, limit: int, now: datetime) -> list[ScheduleKey]:
        latest = self._find(coldstart_id)
        if latest is None or latest.stage is not Stage.BUILDING:
            return []
        self._latest = replace(latest, alive_at=now)
        ours = [key for key, number in self._left.items() if number == shard]
        return ours[:limit] or list(reversed(self._left))[:limit]

    @answered
    @step
    def record_built(self, coldstart_id: str, keys: Sequence[ScheduleKey], counts: Mapping[str, int]) -> None:
        latest = self._find(coldstart_id)
        if latest is not None and keys:
            for key in keys:
                self._left.pop(key, None)
            self._latest = replace(
                latest,
                left=len(self._left),
                published=latest.published + counts.get("published", 0),
                failed=latest.failed + counts.get("failed", 0),
            )

    @answered
    @step
    def end(self, coldstart_id: str, stage: Stage, now: datetime, problem: str = "") -> bool:
        latest = self._find(coldstart_id)
        if latest is None or latest.stage.is_final or (stage is Stage.REJECTED and latest.is_confirmed):
            return False
        self._latest = replace(latest, stage=stage, ended_at=now, problem=problem)
        if stage is Stage.FINISHED:
            self.current_epoch = self.current_epoch or Epoch(coldstart_id)
        self._left, self._leader, self._paused_until = {}, "", self._clock()
        return True

    @answered
    @step
    def pause_intake(self, for_: timedelta) -> None:
        self._paused_until = self._clock() + for_

    @answered
    @step
    def intake_is_paused(self) -> bool:
        return self._clock() < self._paused_until

    @answered
    @step
    def epoch(self) -> Epoch | None:
        return self.current_epoch

    @answered
    @step
    def begin_epoch(self, epoch_id: str) -> None:
        self.current_epoch = self.current_epoch or Epoch(epoch_id)

    def renew_epoch(self, epoch_id: str) -> None:
        """As a witness does that has noticed a step back; has no checkpoint."""
        if self.current_epoch is not None:
            self.current_epoch = Epoch(epoch_id, (self.current_epoch.id, *self.current_epoch.before))

    def is_open(self) -> bool:
        """Whether a coldstart is open; has no checkpoint."""
        return self._latest is not None and not self._latest.stage.is_final

    def _find(self, coldstart_id: str) -> Coldstart | None:
        return self._latest if self._latest is not None and self._latest.id == coldstart_id else None
