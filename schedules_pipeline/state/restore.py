"""Restores an export into a keyspace, an empty or a living one.

Every step may be repeated, so an import that died is repeated as a whole. A schedule is claimed before its last good
source is written, so a build that began earlier cannot replace it. In an empty keyspace the coldstart that follows
builds the schedules; in one that has an epoch the import builds them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ContentError
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.ports.losses import Loss, LossLimits
from schedules_pipeline.publishing.publish import LEASE_FOR, Publisher, in_batches
from schedules_pipeline.push.ports import PushStore
from schedules_pipeline.state.document import SavedSchedule, StateDocument
from schedules_pipeline.state.gather import gather_state
from schedules_pipeline.state.plan import Part, Plan, Status, missing_usage, plan_import

_UNLIMITED = 10**12


class ImportRejected(ContentError):
    """The keyspace cannot take the import as it is; nothing was written."""


@dataclass(frozen=True, slots=True)
class _Import:
    """``chosen``: the names of the items of one part that are to be written."""

    state: StateDocument
    found: StateDocument
    chosen: frozenset[str]
    cause: Cause


@dataclass(frozen=True, slots=True)
class StateRestorer:
    store: PushStore
    follower: CatalogueFollower
    publisher: Publisher
    clock: Clock

    def plan(self, state: StateDocument) -> Plan:
        return plan_import(state, self._found(state))

    def restore(self, state: StateDocument, cause: Cause, *, replaces: bool) -> Plan:
        """Add what the keyspace lacks; ``replaces``: also replace what differs. Returns the plan that was carried out.

        Raises :class:`ImportRejected` while a coldstart is open, because it builds schedules without what is restored.
        """
        latest = self.store.coldstarts.latest()
        if latest is not None and not latest.stage.is_final:
            raise ImportRejected(
                f"a coldstart is {latest.stage}: wait for its end (`schedules-pipeline coldstart status --wait`), "
                "or abandon it, then import"
            )
        found = self._found(state)
        plan = plan_import(state, found)
        steps: Mapping[Part, Callable[[_Import], None]] = {
            Part.PARTNERS: self._restore_partners,
            Part.SWITCH: self._restore_switch,
            Part.SUBSCRIPTIONS: self._restore_subscriptions,
            Part.EXPECTATIONS: self._restore_expectations,
            Part.LOSSES: self._restore_losses,
            Part.COPIES: self._restore_copies,
            Part.SCHEDULES: self._restore_schedules,
            Part.USAGE: self._restore_usage,
            Part.PARITY_TREND: self._restore_trend,
        }
        for part in Part:
            steps[part](_Import(state, found, _chosen(plan[part], replaces=replaces), cause))
        return plan

    def _found(self, state: StateDocument) -> StateDocument:
        found = gather_state(self.store, state.keyspace, self.clock(), besides=state.schedules)
        return replace(found, copies=self.store.copies.read(list(state.copies)))

    def _restore_partners(self, this: "_Import") -> None:
        known = {partner.name: partner for partner in this.found.partners}
        for partner in this.state.partners:
            if partner.name in this.chosen:
                _insist(
                    self.store.partners.change(known[partner.name], partner)
                    if partner.name in known
                    else self.store.partners.create(partner),
                    f"partner {partner.name}",
                )

    def _restore_switch(self, this: "_Import") -> None:
        if this.chosen:
            before = this.found.switches[0].number if this.found.switches else 0
            _insist(self.store.served.restore(this.state.switches, before), "the switch")

    def _restore_subscriptions(self, this: "_Import") -> None:
        for each in this.state.subscriptions:
            subscription = each.subscription
            if subscription.name not in this.chosen:
                continue
            if self.store.subscriptions.create(subscription, each.progress):
                continue
            lease = self.store.subscriptions.seize(subscription.name, self.clock(), LEASE_FOR)
            _insist(
                lease is not None
                and self.store.subscriptions.save(lease, lease.standing.progress, self.clock(), subscription),
                f"subscription {subscription.name}",
            )

    def _restore_expectations(self, this: "_Import") -> None:
        chosen = {sid: e for sid, e in this.state.expectations.items() if sid in this.chosen}
        self.store.expectations.keep(chosen)

    def _restore_losses(self, this: "_Import") -> None:
        chosen = {
            key: (Loss(key, loss.kind, loss.digest, loss.seconds, loss.at), loss.replaced)
            for key, loss in this.state.losses.items()
            if str(key) in this.chosen
        }
        limits = LossLimits(_UNLIMITED, dict.fromkeys([key.sid for key in chosen], _UNLIMITED))
        self.store.losses.reserve(chosen, limits, "", self.clock())

    def _restore_copies(self, this: "_Import") -> None:
        chosen = [pid for pid in this.state.copies if pid in this.chosen]
        tokens = self.store.copies.take_tokens(chosen)
        self.store.copies.insert_if_absent({pid: (tokens[pid], this.state.copies[pid]) for pid in chosen})
        # Marks the dependants that a living keyspace has built without them.
        self.follower.follow(dict.fromkeys(chosen, this.cause))

    def _restore_schedules(self, this: "_Import") -> None:
        chosen = {key: each for key, each in this.state.schedules.items() if str(key) in this.chosen}
        for keys in in_batches(sorted(chosen, key=lambda key: (key.date, key.sid))):
            self._restore_batch({key: chosen[key] for key in keys}, this.cause)

    def _restore_batch(self, schedules: Mapping[ScheduleKey, SavedSchedule], cause: Cause) -> None:
        """The sources come before the holds: if the import dies between them, the coverage still holds a loss."""
        store, keys = self.store, list(schedules)
        claim = store.work.claim_exactly(keys, cause, self.clock(), LEASE_FOR)
        sources = {
            key: (s.accepted, s.covered or b"") for key, s in schedules.items() if s.accepted is not None
        }
        store.schedules.restore(sources, claim.token)
        store.losses.hold({key: each.hold for key, each in schedules.items() if each.hold})
        store.losses.decide({key: each.decision for key, each in schedules.items() if each.decision})
        summaries = {key: each.quarantined for key, each in schedules.items() if each.quarantined}
        store.quarantined_broadcasts.keep(summaries)
        if store.coldstarts.epoch() is None:
            store.work.release(claim, keys)
        else:
            self.publisher.rebuild_from_sources(keys, cause)

    def _restore_usage(self, this: "_Import") -> None:
        for day in this.state.usage:
            if str(day) in this.chosen:
                self.store.partners.add_usage(day, missing_usage(this.state, this.found, day))

    def _restore_trend(self, this: "_Import") -> None:
        for point in this.state.parity_trend:
            if str(point.at) in this.chosen:
                self.store.parity_trend.append(point)


def _chosen(items: Mapping[str, Status], *, replaces: bool) -> frozenset[str]:
    statuses = (Status.NEW, Status.DIFFERS) if replaces else (Status.NEW,)
    return frozenset(name for name, status in items.items() if status in statuses)


def _insist(is_done: bool, what: str) -> None:  # noqa: FBT001 - the result of a step
    if not is_done:
        raise ImportRejected(f"{what} was changed during the import: repeat it")
