"""The details of one schedule: its broadcasts, the causes of its versions, its comparison with the old system; and
recent changes. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schedules_pipeline.delivery.guide.grid import Kind, fingerprint, kind_of, title_of
from schedules_pipeline.documents.image_url import render_image_url
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.programme import TitledItem
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.migration.ports.comparisons import Comparison

MOST_VERSIONS: Final = 20
MOST_CHANGES: Final = 40
LATELY: Final = timedelta(hours=1)

_MOST_DIFFERENCES = 10
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class BroadcastDetail:
    """One showing in full. ``synopsis`` is the longest that there is. ``gap_minutes``: how long nothing was shown
    before it; negative where it overlaps the one before. ``image_url`` is "" without an image.
    """

    pid: Pid
    kind: Kind
    starts: str
    ends: str
    minutes: int
    title: str
    subtitle: str
    synopsis: str
    warning: str
    image_url: str
    episode_pid: str
    version_pid: str
    series: TitledItem | None
    brand: TitledItem | None
    is_repeat: bool
    is_signed: bool
    is_audio_described: bool
    is_on_air: bool
    gap_minutes: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Because:
    """One cause of a version, for operators. ``changed``: the item's changed fields, as far as known."""

    event_id: str
    origin: str
    subject: str
    notified_at: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One version in a schedule's history. ``seconds``: from the oldest notification that is known to the publication;
    None where none is. ``further_causes`` counts those of which nothing is kept.
    """

    seq: int
    at: str
    is_removal: bool
    broadcasts: int
    source_changed: bool
    seconds: float | None
    causes: tuple[Because, ...]
    further_causes: int


@dataclass(frozen=True, slots=True)
class Parity:
    """How the version that is shown stands against the old system's. ``is_of_this``: whether the comparison was of
    this version, and not of one before it.
    """

    verdict: str
    reason: str
    generated_at: str
    is_of_this: bool
    difference_count: int
    differences: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Latest:
    """One row of what changed lately. ``why`` is "" for partners, who are not told."""

    key: ScheduleKey
    name: str
    day: str
    at: str
    instant: datetime
    seq: int
    is_removal: bool
    why: str
    seconds: float | None


def broadcasts_of(
    showings: Sequence[Broadcast], zone: ZoneInfo, now: datetime, images: str
) -> Iterator[BroadcastDetail]:
    """In their order. ``images``: the template of image addresses, "" without images."""
    covered = None
    for showing in showings:
        gap = timedelta(0) if covered is None else showing.start - covered
        yield _broadcast(showing, zone, now, images, _whole_minutes(gap))
        covered = showing.end if covered is None else max(covered, showing.end)


def _broadcast(
    showing: Broadcast, zone: ZoneInfo, now: datetime, images: str, gap_minutes: int
) -> BroadcastDetail:
    episode = showing.episode
    return BroadcastDetail(
        showing.broadcast_pid,
        kind_of(showing),
        clock(showing.start, zone),
        clock(showing.end, zone),
        _whole_minutes(showing.end - showing.start),
        title_of(showing),
        showing.subtitle,
        next((text for text in reversed(episode.synopses.texts) if text), "") if episode else "",
        (episode.warning_text or "") if episode else "",
        render_image_url(images, episode.image_pid) if episode else "",
        showing.episode_pid or "",
        showing.version_pid or "",
        showing.series,
        showing.brand,
        showing.is_repeat,
        showing.is_signed,
        showing.is_audio_described,
        showing.interval.contains(now),
        gap_minutes,
        fingerprint(showing),
    )


def version_of(change: Change, zone: ZoneInfo) -> Version:
    causes = tuple(
        Because(
            cause.event_id,
            cause.origin.value,
            str(cause.subject),
            moment(cause.notified_at, zone),
            cause.changed,
        )
        for cause in change.causes
    )
    return Version(
        change.seq,
        moment(change.published_at, zone),
        change.is_removal,
        change.broadcasts,
        change.source_changed,
        change.seconds_from_notification,
        causes,
        max(0, change.cause_count - len(causes)),
    )


def parity_of(comparison: Comparison, seq: int, zone: ZoneInfo) -> Parity:
    return Parity(
        comparison.verdict.value,
        comparison.reason,
        _generated(comparison.generated_at, zone),
        comparison.seq == seq,
        comparison.difference_count,
        comparison.differences[:_MOST_DIFFERENCES],
    )


def _generated(at: str, zone: ZoneInfo) -> str:
    """Formatted like other moments. Other text is returned unchanged; it is "" if nothing was compared."""
    try:
        return moment(datetime.fromisoformat(at), zone)
    except ValueError:
        return at


def latest_of(change: Change, name: str, zone: ZoneInfo, *, tells_why: bool) -> Latest:
    return Latest(
        change.key,
        name,
        f"{change.key.date:%a %-d %b}",
        f"{change.published_at.astimezone(zone):%H:%M:%S}",
        change.published_at,
        change.seq,
        change.is_removal,
        (change.why or "cause unknown") if tells_why else "",
        change.seconds_from_notification if tells_why else None,
    )


def changed_lately(newest_first: Iterable[Change], now: datetime) -> Iterator[Change]:
    """Those of the last hour; the first that is older ends it."""
    for change in newest_first:
        if now - change.published_at > LATELY:
            return
        yield change


def clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"


def moment(at: datetime, zone: ZoneInfo) -> str:
    """``28 Mar 2026, 19:30:05 GMT``."""
    return f"{at.astimezone(zone):%-d %b %Y, %H:%M:%S %Z}"


def _whole_minutes(length: timedelta) -> int:
    """Towards zero."""
    return int(length / _MINUTE)
