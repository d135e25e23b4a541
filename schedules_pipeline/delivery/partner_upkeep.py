"""Partners from the store into memory, and usage from memory into the store, every few seconds.

Belongs here: one round of it. Does not belong here: the thread that goes round, and what is done with either.
"""

from datetime import UTC, datetime

from schedules_pipeline.delivery.admission import Admission
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.ports import PartnerStore, requests_used


def store_usage(admission: Admission, book: PartnerStore, now: datetime) -> None:
    """Store what was counted. What cannot be stored stays counted, and the :class:`ServiceError` passes.

    A death loses what was counted since the last round. What was counted in the seconds before midnight may be
    stored as of the day that begins.
    """
    left = admission.take_usage(now.astimezone(UTC).date())
    try:
        for day in sorted(left):
            book.add_usage(day, left[day])
            del left[day]
    finally:
        for day, counts in left.items():
            admission.give_back(day, counts)


def keep_up(admission: Admission, book: PartnerStore, clock: Clock) -> None:
    """One round: store the usage, then read partners and what they have used today.

    Raises :class:`ServiceError` where the store does not answer, or has lost its partners, as one that was emptied
    has: then everything goes on by what was read before.
    A store that takes no writes is read all the same: a revoked key must not hold until it does again.
    """
    now = clock()
    try:
        store_usage(admission, book, now)
    finally:
        _read(admission, book, now)


def _read(admission: Admission, book: PartnerStore, now: datetime) -> None:
    partners = book.all()
    if not partners and admission.knows_anybody and not book.was_ever_used():
        raise ServiceError(
            "the store has lost its partners: `schedules-pipeline partners import` brings them back"
        )
    admission.refresh(partners, requests_used(book.usage(now.astimezone(UTC).date())), now)
