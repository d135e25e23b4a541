"""Losses of airtime: those that are held, those that were let through, and what operators decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey

BUDGET_WINDOW = timedelta(hours=1)
"""The losses of the last hour share one budget."""

RESTORABLE_FOR = timedelta(days=2)
"""How long the source that a loss replaced is kept, so that an operator can restore it."""


class HoldReason(StrEnum):
    """``SHRUNK``: the document covers much less than the schedule did lately. ``QUARANTINED``: too many of its
    broadcasts are unusable. ``BUDGET``: more airtime would be lost within an hour than the loss budget allows.
    ``RESTORED``: the loss was let through and an operator has taken it back.
    """

    SHRUNK = "shrunk"
    QUARANTINED = "quarantined"
    BUDGET = "budget"
    RESTORED = "restored"


class LossKind(StrEnum):
    REMOVED = "schedule removed"
    SHRUNK = "less airtime"
    UNKNOWN_EPISODES = "unknown episodes"


class Verdict(StrEnum):
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Hold:
    """A document, or a removal, that is not published: partners keep what they have.

    ``id`` groups the schedules that one event would lose. ``digest`` identifies the broadcasts that are held.
    ``put_id``: the latest put that had them. ``lost_seconds``: of the airtime to come. ``covered_seconds``: of it, by
    the document that was there at ``held_at``. ``airs_at``: the begin of the broadcast day.
    """

    id: str
    reason: HoldReason
    kind: LossKind
    digest: str
    put_id: str
    lost_seconds: int
    covered_seconds: int
    held_at: datetime
    airs_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """An operator's decision on the broadcasts of one digest. ``restores``: the loss had been let through, so the
    source that it replaced comes back.
    """

    hold_id: str
    digest: str
    verdict: Verdict
    decided_at: datetime
    restores: bool = False


@dataclass(frozen=True, slots=True)
class Loss:
    """Airtime to come that a document or a removal would take from partners."""

    key: ScheduleKey
    kind: LossKind
    digest: str
    seconds: int
    at: datetime


@dataclass(frozen=True, slots=True)
class LossLimits:
    """Seconds of airtime that may be lost within :data:`BUDGET_WINDOW`. ``of_service``: of each service in question."""

    whole: int
    of_service: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reservation:
    """``overdrawn``: the losses that do not fit into the budget. ``hold_id``: the id under which they are held."""

    overdrawn: frozenset[ScheduleKey]
    hold_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one schedule's losses. ``replaced``: the source to restore, if the decision restores one."""

    hold: Hold | None = None
    decision: Decision | None = None
    replaced: bytes | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What an operator decided about what is held; None if that still waits, or nothing is held."""
        if self.hold is None or self.decision is None or self.decision.digest != self.hold.digest:
            return None
        return self.decision.verdict


def describe_hold(hold: Hold, verdict: Verdict | None) -> str:
    """The hold in one line, for people."""
    lost = f"{hold.kind}, {hold.lost_seconds / 3600:.1f} h of airtime to come"
    decided = f"; an operator has {verdict} it" if verdict else ""
    return f"hold {hold.id} ({hold.reason}): {lost}{decided}"


NO_STANDING = Standing()


class LossStore(Protocol):
    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Standing]:
        """The standings of these schedules; those without hold or decision are left out."""

    def holds(self) -> dict[ScheduleKey, Hold]: ...

    def decisions(self) -> dict[ScheduleKey, Decision]: ...

    def hold(self, holds: Mapping[ScheduleKey, Hold]) -> None:
        """Record or replace holds. Decisions stay."""

    def decide(self, decisions: Mapping[ScheduleKey, Decision]) -> None: ...

    def end(self, keys: Sequence[ScheduleKey]) -> None:
        """A document has been published: forget the holds and decisions of these schedules."""

    def reserve(
        self, losses: Mapping[ScheduleKey, tuple[Loss, bytes]], limits: LossLimits, new_id: str, now: datetime
    ) -> Reservation:
        """Reserve these losses in one atomic step, each with the source that it replaces.

        If they exceed the limit of the whole, none is reserved; if those of one service exceed its limit, none of
        that service is. A loss that was reserved already costs nothing. Losses that are overdrawn within an hour of
        each other get the same id; the first gets ``new_id``.
        """

    def refund(self, keys: Sequence[ScheduleKey]) -> None:
        """These schedules are whole again, so their losses no longer count."""

    def let_through(self) -> dict[ScheduleKey, Loss]:
        """The latest loss of each schedule that was let through within :data:`RESTORABLE_FOR`."""

    def replaced(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        """The accepted sources that the losses of these schedules replaced; others are left out."""

    def record_blanking(self, airtime: Mapping[ScheduleKey, timedelta], now: datetime) -> None:
        """Airtime that was blanked. It is never held."""

    def blanked(self, now: datetime) -> dict[ScheduleKey, timedelta]:
        """The airtime that was blanked within :data:`BUDGET_WINDOW`."""
