"""All published schedules in memory: the latest version of each, compressed, and removals; and extracts of them.

Only the event loop's thread changes the mirror, so requests always see a consistent state.
:mod:`~schedules_pipeline.delivery.follower` supplies the changes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache

from schedules_pipeline.delivery.packing import Coding, Packed, pack_frame
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.documents.partner_document import parse_published, split_document
from schedules_pipeline.documents.stored_form import decompress
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.published import PublishedSchedule
from schedules_pipeline.publishing.ports.feed import place

_PARSED_AT_ONCE = 1_024
"""How many schedules stay in parsed form in a process that renders, about fifty kilobytes each."""


@dataclass(frozen=True, slots=True)
class MirroredSchedule:
    """The latest version of one schedule; ``packed`` is None for a removal. Equal if it is the same version.

    Pickled without the gzip form, which a process that renders does not need.
    """

    key: ScheduleKey
    seq: int
    etag: str
    published_at: datetime
    packed: Packed | None = field(compare=False)

    def __reduce__(self) -> tuple[object, ...]:
        packed = self.packed and replace(self.packed, made_gzip=b"")
        return MirroredSchedule, (self.key, self.seq, self.etag, self.published_at, packed)

    @property
    def is_removed(self) -> bool:
        return self.packed is None

    def document(self) -> bytes | None:
        """The published document; None for a removal."""
        return self.packed.coded(Coding.IDENTITY) if self.packed else None


@lru_cache(_PARSED_AT_ONCE)
def parsed(held: MirroredSchedule) -> PublishedSchedule | None:
    """The parsed document; None for a removal. Recently used ones are remembered."""
    document = held.document()
    return parse_published(document) if document is not None else None


@dataclass(frozen=True, slots=True)
class Extract:
    """Some schedules and removals as they were at one moment, for another thread or process."""

    by_key: Mapping[ScheduleKey, MirroredSchedule]

    def __len__(self) -> int:
        return len(self.by_key)

    def schedule(self, key: ScheduleKey) -> PublishedSchedule | None:
        held = self.by_key.get(key)
        return parsed(held) if held else None


def mirror_document(key: ScheduleKey, frame: bytes) -> MirroredSchedule:
    """A published document, given as it is stored. Raises :class:`InvalidRecord` if it cannot be decoded."""
    document = decompress(frame)
    publication, _ = split_document(document)
    packed = pack_frame(frame, document)
    return MirroredSchedule(key, publication.seq, publication.etag, publication.published_at, packed)


class Mirror:
    """Empty until the first :meth:`replace`. ``confirmed_at``: when the store last confirmed that the mirror is
    current; None before that. ``generation`` grows with every possible change of the contents.
    """

    def __init__(self) -> None:
        self.cursor = FeedCursor("", "0")
        self.confirmed_at: datetime | None = None
        self.generation = 0
        self._by_sid: dict[Sid, dict[date, MirroredSchedule]] = {}

    def replace(
        self, cursor: FeedCursor, everything: Iterable[MirroredSchedule], confirmed_at: datetime
    ) -> None:
        """Replace the contents by a complete read of the store."""
        by_sid: dict[Sid, dict[date, MirroredSchedule]] = defaultdict(dict)
        for held in everything:
            by_sid[held.key.sid][held.key.date] = held
        self._by_sid, self.cursor, self.confirmed_at = dict(by_sid), cursor, confirmed_at
        self.generation += 1

    def advance(self, position: str, changed: Iterable[MirroredSchedule], confirmed_at: datetime) -> None:
        """Apply the changes up to a position. Versions older than the held ones are ignored."""
        for held in changed:
            of_service = self.of_service(held.key.sid)
            known = of_service.get(held.key.date)
            if known is None or _follows(held, known):
                self._by_sid[held.key.sid] = {**of_service, held.key.date: held}
                self.generation += 1
        if place(position) > place(self.cursor.position):
            self.cursor = FeedCursor(self.cursor.epoch, position)
            self.generation += 1
        self.confirmed_at = confirmed_at

    def forget_removals(self, published_before: datetime) -> None:
        """Drop old removals, so that memory does not grow without bound."""
        self.generation += 1
        for sid, of_service in list(self._by_sid.items()):
            kept = {
                day: held
                for day, held in of_service.items()
                if not held.is_removed or held.published_at >= published_before
            }
            if not kept:
                del self._by_sid[sid]
            elif len(kept) < len(of_service):
                self._by_sid[sid] = kept

    def services(self) -> list[Sid]:
        """The services with at least one published schedule, sorted."""
        return sorted(
            sid for sid, held in self._by_sid.items() if any(not h.is_removed for h in held.values())
        )

    def sids(self) -> Collection[Sid]:
        """The services with schedules or removals."""
        return self._by_sid.keys()

    def of_service(self, sid: Sid) -> Mapping[date, MirroredSchedule]:
        """A service's schedules and removals by broadcast day. The same object until one of them changes."""
        return self._by_sid.get(sid, {})

    def held(self, key: ScheduleKey) -> MirroredSchedule | None:
        """The latest version or removal; None if the schedule was never published, or its removal was dropped."""
        return self._by_sid.get(key.sid, {}).get(key.date)

    def everything(self) -> Iterable[MirroredSchedule]:
        """All schedules and removals."""
        return (held for of_service in self._by_sid.values() for held in of_service.values())

    def extract(self, keys: Iterable[ScheduleKey]) -> Extract:
        return Extract({key: held for key in keys if (held := self.held(key)) is not None})


def _follows(held: MirroredSchedule, known: MirroredSchedule) -> bool:
    """Whether ``held`` is at least as new as ``known``. The sequence starts again at 1 once the store has dropped a
    removal, so after a removal a later time of publication counts too.
    """
    return held.seq >= known.seq or (known.is_removed and held.published_at > known.published_at)
