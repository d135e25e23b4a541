"""How the coverage of a schedule is kept beside its accepted source."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zlib import crc32

from schedules_pipeline.documents.record import Record
from schedules_pipeline.domain.airtime import Airtime
from schedules_pipeline.domain.coverage import Coverage, EarlierAirtime
from schedules_pipeline.domain.interval import Interval

_Seconds = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Coverage:
    """Instants in seconds since 1970. ``of``: the checksum of the accepted source."""

    of: int
    now: _Seconds
    earlier: tuple[tuple[int, _Seconds], ...] = ()


_RECORD = Record(_Coverage, "coverage", omits_defaults=True)


def render_coverage(coverage: Coverage, accepted: bytes) -> bytes:
    """``accepted``: the rendered source that the coverage is of; b"" if there is none."""
    earlier = tuple([(_second(each.until), _seconds(each.airtime)) for each in coverage.earlier])
    return _RECORD.render(_Coverage(crc32(accepted), _seconds(coverage.current), earlier))


def parse_coverage(content: bytes, accepted: bytes) -> tuple[Coverage, bool]:
    """The coverage, and whether it is of this source. It is not if an older release has accepted the source, because
    that release leaves the record as it was, nor if the record cannot be decoded.
    """
    found = _RECORD.parse_if_sound(content)
    if found is None:
        return Coverage(), False
    earlier = tuple([EarlierAirtime(_instant(until), _airtime(seconds)) for until, seconds in found.earlier])
    return Coverage(_airtime(found.now), earlier), found.of == crc32(accepted)


def _seconds(airtime: Airtime) -> _Seconds:
    return tuple([(_second(start), _second(end)) for start, end in airtime])


def _airtime(seconds: Sequence[tuple[int, int]]) -> Airtime:
    return tuple([Interval(_instant(start), _instant(end)) for start, end in seconds])


def _second(instant: datetime) -> int:
    return int(instant.timestamp())


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
