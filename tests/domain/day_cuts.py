"""What the tests of a partner's day share: zones, days, cuts, broadcasts and schedules."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import Sid

LONDON = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
TELEVISION = Sid("alder_one_north")
RADIO = Sid("alder_radio_one")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
JANUARY = date(2026, 1, 15)
services = st.sampled_from([TELEVISION, RADIO])
local_times = st.times().map(lambda at: f"{at:%H:%M}")
cuts = st.one_of(st.just("utc"), local_times, st.sampled_from(["00:00", "02:30", "06:00", "23:59"]))
zone_names = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))


def day_after(day: date, number: int = 1) -> date:
    return day + number * DAY


def _clock_changes(zone: ZoneInfo, year: int) -> list[date]:
    """The days of a year on which the zone's offset changes, otherwise the first of January."""
    days = [day_after(date(year, 1, 1), number) for number in range(365)]
    offsets = [
        datetime.combine(day, time(0), tzinfo=zone).utcoffset() for day in [*days, day_after(days[-1])]
    ]
    return [days[number] for number in range(365) if offsets[number] != offsets[number + 1]] or days[:1]


@st.composite
def zones_and_days(draw: st.DrawFn) -> tuple[ZoneInfo, date]:
    """Any day, and often one beside which the clocks change, in any zone."""
    zone = ZoneInfo(draw(zone_names))
    if draw(st.booleans()):
        return zone, draw(st.dates(date(2, 1, 1), date(9998, 12, 31)))
    change = draw(st.sampled_from(_clock_changes(zone, draw(st.integers(1840, 2040)))))
    return zone, day_after(change, draw(st.integers(-2, 2)))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
