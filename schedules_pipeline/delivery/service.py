"""Everything that answers are made from: the mirror, the feed's tail, the partners, the store."""

from asyncio import AbstractEventLoop
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules_pipeline.delivery.admission import Admission
from schedules_pipeline.delivery.follower import Past
from schedules_pipeline.delivery.freshness import Staleness
from schedules_pipeline.delivery.mirror import Mirror, MirroredSchedule
from schedules_pipeline.delivery.switched import SwitchState
from schedules_pipeline.delivery.tail import Tail
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.documents.guide_formats import GuideFormat
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.domain.service_names import ServiceNames
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import FeedEntry
from schedules_pipeline.push.ports import PushStore

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """``image_url_template``: the address of an image, with ``{image_pid}`` in it; "" leaves images out.
    ``available_days``: how long an episode counts as available after a broadcast of it has begun.
    """

    staleness: Staleness
    image_url_template: str = ""
    available_days: int = 7
    feed_kept_for: timedelta = timedelta(days=8)
    horizon: RetentionHorizon = KEEPS_EVERYTHING


@dataclass(frozen=True, slots=True)
class Delivery:
    """Used in the event loop's thread, except ``store``, which blocks and is called in worker threads.

    Starts empty: ``delivery.running`` fills and updates mirror, tail, partners and switch.
    """

    store: PushStore
    clock: Clock
    calendar: BroadcastCalendar
    names: ServiceNames
    formats: Sequence[GuideFormat]
    policy: DeliveryPolicy
    mirror: Mirror = field(default_factory=Mirror, init=False)
    tail: Tail = field(default_factory=Tail, init=False)
    admission: Admission = field(default_factory=Admission, init=False)
    switched: SwitchState = field(default_factory=SwitchState, init=False)

    def services_of(self, partner: Partner) -> list[Sid]:
        """The services with published schedules that the partner may see, sorted."""
        return [sid for sid in self.mirror.services() if partner.may_see(sid)]

    def begin(
        self, cursor: FeedCursor, everything: Sequence[MirroredSchedule], past: Past, at: datetime
    ) -> None:
        """Replace all state. Wakes every waiting request, whose cursor may be of another keyspace."""
        self.mirror.replace(cursor, everything, at)
        self.mirror.forget_removals(at - self.policy.feed_kept_for)
        self.tail.restart(past.after)
        self.tail.extend(past.entries)

    def advance(
        self, entries: Sequence[FeedEntry], changed: Sequence[MirroredSchedule], at: datetime
    ) -> None:
        """Add documents before rows, so that every version that a partner hears of can be fetched."""
        before = self.mirror.confirmed_at
        self.mirror.advance(entries[-1].position if entries else "0", changed, at)
        if before is None or at - _start_of_hour(before) >= _HOUR:
            self.mirror.forget_removals(at - self.policy.feed_kept_for)
        self.tail.extend(entries)


def _start_of_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


class Handover:
    """Passes what the follower finds to the event loop's thread. Implements
    :class:`~schedules_pipeline.delivery.follower.Audience`.
    """

    def __init__(self, delivery: Delivery, loop: AbstractEventLoop) -> None:
        self._delivery = delivery
        self._loop = loop

    def begin(
        self, cursor: FeedCursor, everything: Sequence[MirroredSchedule], past: Past, at: datetime
    ) -> None:
        self._loop.call_soon_threadsafe(self._delivery.begin, cursor, everything, past, at)

    def advance(
        self, entries: Sequence[FeedEntry], changed: Sequence[MirroredSchedule], at: datetime
    ) -> None:
        self._loop.call_soon_threadsafe(self._delivery.advance, entries, changed, at)
