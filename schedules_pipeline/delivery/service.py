"""Everything that answers are made from: the mirror, the feed's tail, the partners, the store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules_pipeline.delivery.admission import Admission
from schedules_pipeline.delivery.follower import Advance, Snapshot, Update
from schedules_pipeline.delivery.freshness import Staleness
from schedules_pipeline.delivery.guide_sessions import GuideSessions
from schedules_pipeline.delivery.mirror import Mirror
from schedules_pipeline.delivery.questions.lineage import CopyReader
from schedules_pipeline.delivery.rendering import Rendering
from schedules_pipeline.delivery.switched import SwitchState
from schedules_pipeline.delivery.tail import Tail
from schedules_pipeline.delivery.traced_versions import TracedVersions
from schedules_pipeline.documents.guide_formats import GuideFormat
from schedules_pipeline.documents.service_list import NO_TELEVISIONS, TelevisionPolicy
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.domain.service_names import ServiceNames
from schedules_pipeline.health.ports import HealthStore
from schedules_pipeline.partners.partner import Partner

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """``image_url_template``: the address of an image, with ``{image_pid}`` in it; "" leaves images out.
    ``available_days``: how long an episode counts as available after a broadcast of it has begun.
    ``webhook_master_secret``: None if partners may not rotate the secrets of their webhooks.
    ``dagster_url``: of the pages of Dagster, to which operators are led; "" for no links.
    """

    staleness: Staleness
    image_url_template: str = ""
    available_days: int = 7
    feed_kept_for: timedelta = timedelta(days=8)
    horizon: RetentionHorizon = KEEPS_EVERYTHING
    televisions: TelevisionPolicy = NO_TELEVISIONS
    webhook_master_secret: bytes | None = field(default=None, repr=False)
    dagster_url: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Used in the event loop's thread, except ``store``, which blocks and is called in worker threads.

    ``copies_elsewhere``: the catalogue copies for a process that renders; None if this process does.

    Starts empty: ``delivery.running`` fills and updates mirror, tail, partners and switch.
    """

    store: HealthStore
    clock: Clock
    calendar: BroadcastCalendar
    names: ServiceNames
    formats: Sequence[GuideFormat]
    policy: DeliveryPolicy
    rendering: Rendering = field(default_factory=Rendering)
    copies_elsewhere: CopyReader | None = None
    mirror: Mirror = field(default_factory=Mirror, init=False)
    tail: Tail = field(default_factory=Tail, init=False)
    admission: Admission = field(default_factory=Admission, init=False)
    switched: SwitchState = field(default_factory=SwitchState, init=False)
    sessions: GuideSessions = field(default_factory=GuideSessions, init=False)
    traced: TracedVersions = field(default_factory=TracedVersions, init=False)

    def services_of(self, partner: Partner) -> list[Sid]:
        """The services with published schedules that the partner may see, sorted."""
        return [sid for sid in self.mirror.services() if partner.may_see(sid)]

    def apply(self, update: Update) -> None:
        match update:
            case Snapshot():
                self._replace(update)
            case Advance():
                self._advance(update)

    def _replace(self, snapshot: Snapshot) -> None:
        """Wakes every waiting request, whose cursor may be of another keyspace."""
        self.mirror.replace(snapshot.cursor, snapshot.schedules, snapshot.at)
        self.mirror.forget_removals(snapshot.at - self.policy.feed_kept_for)
        self.tail.restart(snapshot.rows_after)
        self.tail.extend(snapshot.rows)

    def _advance(self, advance: Advance) -> None:
        """Adds documents before rows, so that every version that a partner hears of can be fetched."""
        before, at, rows = self.mirror.confirmed_at, advance.at, advance.rows
        self.mirror.advance(rows[-1].position if rows else "0", advance.schedules, at)
        if before is None or at - _start_of_hour(before) >= _HOUR:
            self.mirror.forget_removals(at - self.policy.feed_kept_for)
        self.traced.mirrored(rows)
        self.tail.extend(rows)


def _start_of_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
