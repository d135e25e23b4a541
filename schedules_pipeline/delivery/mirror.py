"""What is published, held in memory: the latest version of every schedule, packed, and which were removed.

It is changed from one thread, the one that answers requests, and so is always whole. Who brings the changes is
:mod:`~schedules_pipeline.delivery.follower`.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from schedules_pipeline.delivery.packing import Coding, Packed
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.documents.partner_document import parse_published
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.published import PublishedSchedule
from schedules_pipeline.publishing.ports.feed import place

_PARSED_AT_ONCE = 1_024
"""How many schedules are remembered in their parsed form; some fifty kilobytes each."""


@dataclass(frozen=True, slots=True, eq=False)
class MirroredSchedule:
    """The latest version of one schedule; ``packed`` is None where it was removed."""

    key: ScheduleKey
    seq: int
    etag: str
    published_at: datetime
    packed: Packed | None

    @property
    def is_removed(self) -> bool:
        return self.packed is None

    def document(self) -> bytes | None:
        """The published document; None where it was removed."""
        return self.packed.coded(Coding.IDENTITY) if self.packed else None


class Mirror:
    """Empty until the first :meth:`replace`. ``confirmed_at``: when the store last confirmed that this is all there
    is; None before. ``generation`` is another number whenever what is held may be something else.
    """

    def __init__(self) -> None:
        self.cursor = FeedCursor("", "0")
        self.confirmed_at: datetime | None = None
        self.generation = 0
        self._by_sid: dict[Sid, dict[date, MirroredSchedule]] = {}
        self._parsed = lru_cache(_PARSED_AT_ONCE)(_parse)

    def replace(
        self, cursor: FeedCursor, everything: Iterable[MirroredSchedule], confirmed_at: datetime
    ) -> None:
        """Begin anew: the store has been read whole."""
        by_sid: dict[Sid, dict[date, MirroredSchedule]] = defaultdict(dict)
        for held in everything:
            by_sid[held.key.sid][held.key.date] = held
        self._by_sid, self.cursor, self.confirmed_at = dict(by_sid), cursor, confirmed_at
        self.generation += 1

    def advance(self, position: str, changed: Iterable[MirroredSchedule], confirmed_at: datetime) -> None:
        """Take in what changed up to a position. What is older than what is held is passed over."""
        for held in changed:
            of_service = self._by_sid.setdefault(held.key.sid, {})
            known = of_service.get(held.key.date)
            if known is None or _follows(held, known):
                of_service[held.key.date] = held
                self.generation += 1
        if place(position) > place(self.cursor.position):
            self.cursor = FeedCursor(self.cursor.epoch, position)
            self.generation += 1
        self.confirmed_at = confirmed_at

    def forget_removals(self, published_before: datetime) -> None:
        """Forget which schedules were removed long ago, so that the memory does not grow for ever."""
        self.generation += 1
        for sid, of_service in list(self._by_sid.items()):
            kept = {
                day: held
                for day, held in of_service.items()
                if not held.is_removed or held.published_at >= published_before
            }
            self._by_sid[sid] = kept
            if not kept:
                del self._by_sid[sid]

    def services(self) -> list[Sid]:
        """Those of which anything is published, in order."""
        return sorted(
            sid for sid, held in self._by_sid.items() if any(not h.is_removed for h in held.values())
        )

    def of_service(self, sid: Sid) -> dict[date, MirroredSchedule]:
        """Everything that is known of a service, removals included, by its broadcast day. Not to be changed."""
        return self._by_sid.get(sid, {})

    def held(self, key: ScheduleKey) -> MirroredSchedule | None:
        """The latest version, or the removal; None where nothing was ever published, or long ago."""
        return self._by_sid.get(key.sid, {}).get(key.date)

    def everything(self) -> Iterable[MirroredSchedule]:
        """All that is held, removals included."""
        return (held for of_service in self._by_sid.values() for held in of_service.values())

    def document(self, key: ScheduleKey) -> bytes | None:
        """The published document, as it stands in the store; None where there is none."""
        held = self.held(key)
        return held.document() if held else None

    def schedule(self, key: ScheduleKey) -> PublishedSchedule | None:
        """The document read; None where there is none. The latest that were asked for are remembered."""
        held = self.held(key)
        return self.parsed(held) if held else None

    def parsed(self, held: MirroredSchedule) -> PublishedSchedule | None:
        """The same of what was held at some moment; may be asked from any thread."""
        return None if held.is_removed else self._parsed(held)


def _follows(held: MirroredSchedule, known: MirroredSchedule) -> bool:
    """Whether it is not older than what is known. A schedule whose removal the store has forgotten begins with number
    1 again; so of what follows a removal, the later instant counts too.
    """
    return held.seq >= known.seq or (known.is_removed and held.published_at > known.published_at)


def _parse(held: MirroredSchedule) -> PublishedSchedule | None:
    document = held.document()
    return parse_published(document) if document is not None else None
