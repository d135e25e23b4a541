"""Gathers the state that no source has."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta

from schedules_pipeline.documents.accepted_schedule import parse_if_accepted
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.partners.ports import USAGE_KEPT_DAYS, UsageLine
from schedules_pipeline.publishing.ports.catalogue import CatalogueSource
from schedules_pipeline.publishing.ports.losses import LossStore
from schedules_pipeline.publishing.ports.rejections import RejectedKind
from schedules_pipeline.push.ports import PushStore
from schedules_pipeline.state.document import SavedLoss, SavedSchedule, SavedSubscription, StateDocument


def gather_state(
    store: PushStore, keyspace: str, now: datetime, besides: Iterable[ScheduleKey] = ()
) -> StateDocument:
    """Everything except the copies of catalogue items. ``besides``: schedules to include in any case.

    Raises :class:`ServiceError` if the store does not answer.
    """
    epoch = store.coldstarts.epoch()
    return StateDocument(
        keyspace=keyspace,
        exported_at=now,
        epoch=epoch.id if epoch else "",
        partners=tuple(store.partners.all()),
        switches=tuple(store.served.switches()),
        subscriptions=tuple(
            SavedSubscription(standing.subscription, standing.progress)
            for standing in store.subscriptions.all()
        ),
        expectations=store.expectations.all(),
        losses=_losses(store.losses),
        schedules=_schedules(store, besides),
        usage=_usage(store, now),
        parity_trend=tuple(store.parity_trend.all()),
    )


def gather_copies(
    store: PushStore, source: CatalogueSource, schedules: Mapping[ScheduleKey, SavedSchedule]
) -> dict[Pid, bytes]:
    """Copies of items that the catalogue has deleted or made unreadable, and of the episodes of these schedules.

    A loss of known episodes is measured by the copies, so a hold on one is lost without them.
    """
    wanted = sorted(
        {pid for each in schedules.values() for pid in parse_if_accepted(each.accepted).episodes()}
    )
    return store.copies.read(wanted) | {
        pid: copy for batch in _without_source(store, source) for pid, copy in batch.items()
    }


def _without_source(store: PushStore, source: CatalogueSource) -> Iterator[dict[Pid, bytes]]:
    for pids in store.copies.stored_pids():
        readable = source.read(pids).keys() - store.rejections.find(pids).keys()
        yield store.copies.read([pid for pid in pids if pid not in readable])


def _losses(losses: LossStore) -> dict[ScheduleKey, SavedLoss]:
    found = losses.let_through()
    replaced = losses.replaced(list(found))
    return {
        key: SavedLoss(loss.kind, loss.digest, loss.seconds, loss.at, replaced[key])
        for key, loss in found.items()
        if key in replaced
    }


def _schedules(store: PushStore, besides: Iterable[ScheduleKey]) -> dict[ScheduleKey, SavedSchedule]:
    holds, decisions = store.losses.holds(), store.losses.decisions()
    rejected = (
        ScheduleKey.parse(subject)
        for subject in store.rejections.times()
        if RejectedKind.of(subject) is RejectedKind.SCHEDULE
    )
    keys = sorted({*holds, *decisions, *store.quarantined_broadcasts.all(), *rejected, *besides})
    states, quarantined = store.schedules.read(keys), store.quarantined_broadcasts.find(keys)
    return {
        key: SavedSchedule(
            states[key].accepted,
            states[key].covered,
            holds.get(key),
            decisions.get(key),
            quarantined.get(key, ""),
        )
        for key in keys
    }


def _usage(store: PushStore, now: datetime) -> dict[date, tuple[tuple[UsageLine, int], ...]]:
    days = [now.date() - timedelta(days=back) for back in range(USAGE_KEPT_DAYS + 1)]
    counts = {day: store.partners.usage(day) for day in days}
    return {day: tuple(sorted(of_day.items())) for day, of_day in counts.items() if of_day}
