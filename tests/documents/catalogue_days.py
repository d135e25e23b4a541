"""What the tests of the catalogue schedule share: showings of one day, and guides of them."""

from datetime import UTC, date, datetime, timedelta

from builders import BLANKED, UNKNOWN, a_broadcast, an_episode

from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.identifiers import Pid, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

SID = Sid("alder_one_north")
DAY = date(2026, 1, 15)
MIDNIGHT = datetime(2026, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
NO_TEXTS = Synopses("", "", "")


def showing_at(
    number: int,
    start: float,
    end: float,
    *,
    title: str = "Quiet Viaduct",
    subtitle: str = "",
    synopses: Synopses = NO_TEXTS,
    episode_pid: str = "",
    is_blanked: bool = False,
    is_known: bool = True,
) -> Broadcast:
    """``start`` and ``end`` are hours after midnight. Each has an episode of its own where none is named."""
    episode_pid = Pid(episode_pid or f"b{number:07}")
    named = {
        "episode": an_episode(pid=episode_pid, title="", synopses=synopses, image_pid=""),
        "series": None,
        "brand": None,
        "title": title,
        "subtitle": subtitle,
    }
    return a_broadcast(
        number,
        MIDNIGHT + start * HOUR,
        (end - start) * 60,
        broadcast_pid=Pid(f"p{number:07}"),
        **{"episode_pid": episode_pid}
        | named
        | ({} if is_known else UNKNOWN)
        | (BLANKED if is_blanked else {}),
    )


def guide_of(
    *showings: Broadcast, sid: Sid = SID, days: int = 0, version: int = 7, length: timedelta = 24 * HOUR
) -> ServiceGuide:
    start = MIDNIGHT + days * timedelta(days=1)
    ordered = tuple(sorted(showings, key=lambda showing: (showing.start, showing.broadcast_pid)))
    return ServiceGuide(sid, "Alder One", Interval(start, start + length), ordered, version, MIDNIGHT)
