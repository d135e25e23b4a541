"""Everything that an answer is made from, put together: the mirror, the feed's tail, the store, the partners."""

from asyncio import AbstractEventLoop
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedules_pipeline.delivery.admission import Admission
from schedules_pipeline.delivery.follower import Past
from schedules_pipeline.delivery.freshness import Staleness
from schedules_pipeline.delivery.mirror import Extent, Mirror, MirroredSchedule
from schedules_pipeline.delivery.offers import Offers
from schedules_pipeline.delivery.service_names import ServiceNames
from schedules_pipeline.delivery.switched import SwitchState
from schedules_pipeline.delivery.tail import Tail
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import FeedEntry
from schedules_pipeline.push.ports import PushStore

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """``image_url_template``: where pictures are, with ``{image_pid}`` in it; "" where nobody has said."""

    staleness: Staleness
    image_url_template: str = ""
    available_days: int = 7
    feed_kept_for: timedelta = timedelta(days=8)
    horizon: RetentionHorizon = KEEPS_EVERYTHING


@dataclass(frozen=True, slots=True)
class Delivery:
    """Used from the event loop's thread, but for the store, which blocks and is asked in worker threads."""

    mirror: Mirror
    tail: Tail
    store: PushStore
    calendar: BroadcastCalendar
    clock: Clock
    admission: Admission
    switched: SwitchState
    names: ServiceNames
    offers: Offers
    rules: DeliveryRules

    def services_of(self, partner: Partner) -> list[Sid]:
        """Those of which anything is published and that the partner may see, in order."""
        return [sid for sid in self.mirror.services() if partner.may_see(sid)]

    def begin(self, extent: Extent, everything: Sequence[MirroredSchedule], past: Past, at: datetime) -> None:
        """All that there is; whoever waits for changes is woken, since its cursor may mean nothing any more."""
        self.mirror.replace(extent, everything, at)
        self.mirror.forget_removals(at - self.rules.feed_kept_for)
        self.tail.restart(past.after)
        self.tail.extend(past.entries)

    def advance(
        self, entries: Sequence[FeedEntry], changed: Sequence[MirroredSchedule], at: datetime
    ) -> None:
        """The documents before the rows, so that nobody hears of a version that cannot be fetched."""
        before = self.mirror.confirmed_at
        self.mirror.advance(entries[-1].position if entries else "0", changed, at)
        if before is None or at - _start_of_hour(before) >= _HOUR:
            self.mirror.forget_removals(at - self.rules.feed_kept_for)
        self.tail.extend(entries)


def _start_of_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


class Handover:
    """Brings what the follower finds into the thread that answers. Implements
    :class:`~schedules_pipeline.delivery.follower.Audience`.
    """

    def __init__(self, delivery: Delivery, loop: AbstractEventLoop) -> None:
        self._delivery = delivery
        self._loop = loop

    def begin(self, extent: Extent, everything: Sequence[MirroredSchedule], past: Past, at: datetime) -> None:
        self._loop.call_soon_threadsafe(self._delivery.begin, extent, everything, past, at)

    def advance(
        self, entries: Sequence[FeedEntry], changed: Sequence[MirroredSchedule], at: datetime
    ) -> None:
        self._loop.call_soon_threadsafe(self._delivery.advance, entries, changed, at)
