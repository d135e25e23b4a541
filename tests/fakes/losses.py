"""Fakes of the losses of airtime (holds, decisions, the ledger of the budget) and of what is normal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from fakes.conditions import Conditions, Fake, answered, step
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.publishing.ports.expectations import Expectation
from schedules_pipeline.publishing.ports.losses import (
    BUDGET_WINDOW,
    RESTORABLE_FOR,
    Decision,
    Hold,
    Loss,
    LossLimits,
    Reservation,
    Standing,
)


class FakeExpectationStore(Fake):
    """Implements :class:`ExpectationStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._kept: dict[Sid, Expectation] = {}

    @answered
    @step
    def read(self, sids: Sequence[Sid]) -> dict[Sid, Expectation]:
        return {sid: self._kept[sid] for sid in sids if sid in self._kept}

    @answered
    @step
    def all(self) -> dict[Sid, Expectation]:
        return dict(self._kept)

    @answered
    @step
    def keep(self, expectations: Mapping[Sid, Expectation]) -> None:
        self._kept.update(expectations)

    @answered
    @step
    def forget(self, sids: Sequence[Sid]) -> None:
        for sid in sids:
            self._kept.pop(sid, None)


class FakeLossStore(Fake):
    """Implements :class:`LossStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._holds: dict[ScheduleKey, Hold] = {}
        self._decisions: dict[ScheduleKey, Decision] = {}
        self._ledger: dict[ScheduleKey, Loss] = {}
        self._replaced: dict[ScheduleKey, bytes] = {}
        self._blanked: dict[ScheduleKey, tuple[timedelta, datetime]] = {}
        self._event: tuple[str, datetime] | None = None

    @answered
    @step
    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Standing]:
        known = [key for key in keys if key in self._holds or key in self._decisions]
        return {key: self._standing(key) for key in known}

    @answered
    @step
    def holds(self) -> dict[ScheduleKey, Hold]:
        return dict(self._holds)

    @answered
    @step
    def decisions(self) -> dict[ScheduleKey, Decision]:
        return dict(self._decisions)

    @answered
    @step
    def hold(self, holds: Mapping[ScheduleKey, Hold]) -> None:
        self._holds.update(holds)

    @answered
    @step
    def decide(self, decisions: Mapping[ScheduleKey, Decision]) -> None:
        self._decisions.update(decisions)

    @answered
    def end(self, keys: Sequence[ScheduleKey]) -> None:
        self._forget_holds(keys)
        self._forget_decisions(keys)

    @answered
    @step
    def reserve(
        self, losses: Mapping[ScheduleKey, tuple[Loss, bytes]], limits: LossLimits, new_id: str, now: datetime
    ) -> Reservation:
        for key in [key for key, loss in self._ledger.items() if loss.at < now - RESTORABLE_FOR]:
            del self._ledger[key], self._replaced[key]
        recent = {key: loss for key, loss in self._ledger.items() if loss.at > now - BUDGET_WINDOW}
        wanted = {
            key: (loss, source)
            for key, (loss, source) in losses.items()
            if key not in recent or recent[key].digest != loss.digest
        }
        spent = Counter({"": sum(loss.seconds for loss in recent.values())})
        for key, loss in [*recent.items(), *((key, loss) for key, (loss, _) in wanted.items())]:
            spent[key.sid] += loss.seconds
        spent[""] += sum(loss.seconds for loss, _ in wanted.values())
        overdrawn = {
            key for key in wanted if spent[""] > limits.whole or spent[key.sid] > limits.of_service[key.sid]
        }
        for key, (loss, source) in wanted.items():
            if key not in overdrawn:
                earlier = recent[key].seconds if key in recent else 0
                self._ledger[key] = replace(loss, seconds=loss.seconds + earlier)
                self._replaced[key] = self._replaced[key] if key in recent else source
        if not overdrawn:
            return Reservation(frozenset(), "")
        is_same_event = self._event is not None and self._event[1] > now - BUDGET_WINDOW
        self._event = (self._event[0] if self._event and is_same_event else new_id, now)
        return Reservation(frozenset(overdrawn), self._event[0])

    @answered
    @step
    def refund(self, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            self._ledger.pop(key, None)
            self._replaced.pop(key, None)

    @answered
    @step
    def let_through(self) -> dict[ScheduleKey, Loss]:
        return dict(self._ledger)

    @answered
    @step
    def replaced(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        return {key: self._replaced[key] for key in keys if self._replaced.get(key)}

    @answered
    @step
    def record_blanking(self, airtime: Mapping[ScheduleKey, timedelta], now: datetime) -> None:
        self._blanked.update({key: (each, now) for key, each in airtime.items()})

    @answered
    @step
    def blanked(self, now: datetime) -> dict[ScheduleKey, timedelta]:
        return {key: airtime for key, (airtime, at) in self._blanked.items() if at > now - BUDGET_WINDOW}

    @step
    def _forget_holds(self, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            self._holds.pop(key, None)

    @step
    def _forget_decisions(self, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            self._decisions.pop(key, None)

    def _standing(self, key: ScheduleKey) -> Standing:
        decision = self._decisions.get(key)
        replaced = self._replaced.get(key) if decision is not None and decision.restores else None
        return Standing(self._holds.get(key), decision, replaced)
