"""Published schedules made by hand, for tests of what partners may ask."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from builders import BLANKED, BRAND, SERIES, UNKNOWN, a_broadcast, an_episode

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.programme import TitledItem
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule

TODAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ALDER, BIRCH = Sid("alder_one"), Sid("birch_two")
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
) -> Broadcast:
    """A broadcast by its number; of no episode it is blanked, of one that is not known it has no titles."""
    named = {"episode": an_episode(pid=episode_pid, title=title), "series": series, "brand": brand}
    titles = {"title": brand.title if brand else title, "subtitle": title}
    if episode_pid is None:
        fields = BLANKED
    else:
        fields = {"episode_pid": episode_pid} | (named | titles if is_known else UNKNOWN)
    return a_broadcast(number, start, minutes, **fields | {"is_repeat": is_repeat})


def schedule(
    of: ScheduleKey, showings: Iterable[Broadcast], seq: int = 1, published_at: datetime | None = None
) -> PublishedSchedule:
    """A version; the one with the greater number is published later, unless it is said when."""
    return PublishedSchedule(
        of,
        seq,
        published_at or datetime(2026, 3, 9, tzinfo=UTC) + timedelta(minutes=seq),
        f"etag-{of}-{seq}",
        tuple(sorted(showings, key=lambda s: (s.start, s.broadcast_pid))),
    )
