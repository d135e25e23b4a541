"""Loads partners from the store and stores their usage; ``delivery.running`` repeats this every few seconds."""

from datetime import UTC, datetime

from schedules_pipeline.delivery.admission import Admission
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.ports import PartnerStore, requests_used


def store_usage(admission: Admission, store: PartnerStore, now: datetime) -> None:
    """Store the counts since the last round; a crash loses them. Counts of the last seconds before midnight may be
    stored under the next day.

    Raises :class:`ServiceError` if the store rejects them, after giving them back to ``admission``.
    """
    left = admission.collect_usage(now.astimezone(UTC).date())
    try:
        for day in sorted(left):
            store.add_usage(day, left[day])
            del left[day]
    finally:
        for day, counts in left.items():
            admission.return_usage(day, counts)


def exchange_usage(admission: Admission, store: PartnerStore, clock: Clock) -> None:
    """One round: store the usage, then read partners and their usage of today.

    Partners are read even if usage cannot be stored, so that a revoked key stops working on a read-only store.
    Raises :class:`ServiceError` if the store does not answer or was emptied; ``admission`` then keeps its partners.
    """
    now = clock()
    try:
        store_usage(admission, store, now)
    finally:
        _read(admission, store, now)


def _read(admission: Admission, store: PartnerStore, now: datetime) -> None:
    partners = store.all()
    if not partners and admission.has_partners and not store.was_ever_used():
        raise ServiceError(
            "the store has lost its partners: `schedules-pipeline state import s3://<bucket>/state/` brings them back"
        )
    admission.refresh(partners, requests_used(store.usage(now.astimezone(UTC).date())), now)
