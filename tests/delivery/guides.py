"""Published schedules made by hand, for tests of what partners may ask."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.published import PublishedSchedule, Showing, ShownEpisode, TitledItem

TODAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ALDER, BIRCH = Sid("alder_one"), Sid("birch_two")
BRAND, SERIES = TitledItem(Pid("b0000001"), "Quiet Viaduct"), TitledItem(Pid("s0000001"), "Series 2")
EPISODE = Pid("p0000001")


def key(sid: Sid = ALDER, days: int = 0) -> ScheduleKey:
    """The schedule of so many days after :data:`TODAY`."""
    return ScheduleKey(sid, TODAY + timedelta(days=days))


def showing(
    number: int,
    start: datetime,
    minutes: int = 30,
    *,
    episode_pid: Pid | None = EPISODE,
    is_known: bool = True,
    is_repeat: bool = False,
    title: str = "The Lantern",
    brand: TitledItem | None = BRAND,
    series: TitledItem | None = SERIES,
) -> Showing:
    """A broadcast by its number; of no episode it is blanked, of one that is not known it has no titles."""
    is_named = is_known and episode_pid is not None
    episode = None
    if is_known and episode_pid is not None:
        episode = ShownEpisode(episode_pid, title, Synopses("A lamp."), "p0000009", None)
    return Showing(
        Pid(f"w{number:07}"),
        None if episode_pid is None else Pid("v0000001"),
        start,
        start + timedelta(minutes=minutes),
        is_repeat=is_repeat,
        is_blanked=episode_pid is None,
        is_signed=False,
        is_audio_described=False,
        episode_pid=episode_pid,
        episode=episode,
        series=series if is_named else None,
        brand=brand if is_named else None,
        title=(brand.title if brand else title) if is_named else "",
        subtitle=title if is_named else "",
    )


def schedule(
    of: ScheduleKey, showings: Iterable[Showing], seq: int = 1, published_at: datetime | None = None
) -> PublishedSchedule:
    """A version; the one with the greater number is published later, unless it is said when."""
    return PublishedSchedule(
        of,
        seq,
        published_at or datetime(2026, 3, 9, tzinfo=UTC) + timedelta(minutes=seq),
        f"etag-{of}-{seq}",
        tuple(sorted(showings, key=lambda s: (s.start, s.broadcast_pid))),
    )
