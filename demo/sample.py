"""A fictional broadcaster, made from a seed: its services, its catalogue and its schedules.

The documents are in the upstream systems' formats and have the shapes of real ones: nested series, missing parents,
inherited images, days of 23 and 25 hours. ``traffic`` changes them, ``upstream`` writes them to the servers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import blake2b
from itertools import chain, count
from random import Random
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from demo.grids import Slot, day_slots
from demo.words import invent_synopsis, invent_title
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval

Document: TypeAlias = dict[str, Any]
SourceKey: TypeAlias = tuple[str, date]
Show: TypeAlias = tuple[str, ...]

RADIO_SERVICES: Final = "*radio*"
"""The sids of the broadcaster's radio services, as a pattern of file names."""

PID_ALPHABET: Final = "0123456789bcdfghjklmnpqrstvwxyz"


_WARNINGS: Final = ("Contains some strong language.", "Contains flashing images.", "Upsetting scenes.")
_SHARE_WITH_IMAGE: Final = {"brand": 0.9, "series": 0.4, "episode": 0.5}

_REGIONS: Final = tuple(
    "north north_east north_west midlands eastern southern south_east south_west "  # noqa: SIM905
    "western highlands islands capital".split()
)
_REGIONS_WITHOUT_MATCH_RIGHTS: Final = frozenset({"highlands", "islands"})


@dataclass(frozen=True, slots=True)
class Sample:
    """The content of the upstream systems: catalogue documents by pid, schedule documents by service and date."""

    catalogue: dict[str, Document]
    schedules: dict[SourceKey, Document]


@dataclass(frozen=True, slots=True)
class _Channel:
    """A channel and the variants of it that are services of their own."""

    name: str
    grid: str
    regions: Sequence[str] = ()

    @property
    def is_radio(self) -> bool:
        return fnmatchcase(self.name, RADIO_SERVICES)

    def services(self) -> list[tuple[str, str]]:
        """Return (sid, region) of each variant; television comes in standard and high definition."""
        variants = [(f"{self.name}_{region}", region) for region in self.regions] or [(self.name, "")]
        if self.is_radio:
            return variants
        return [(sid + suffix, region) for sid, region in variants for suffix in ("", "_hd")]


_CHANNELS: Final = (
    _Channel("alder_one", "one", _REGIONS),
    _Channel("alder_two", "two", ("north", "midlands", "highlands", "capital")),
    _Channel("alder_three", "three"),
    _Channel("alder_sprouts", "sprouts"),
    _Channel("alder_news", "news"),
    _Channel("alder_film", "film"),
    _Channel("alder_archive", "archive"),
    _Channel("alder_radio_one", "radio"),
    _Channel("alder_radio_talk", "radio"),
)

# Programmes of the day: each showing is an episode of its own, named by its date until it is given a title.
_DATED: Final = {
    "daybreak": "Daybreak",
    "noon_report": "Noon Report",
    "evening_report": "Evening Report",
    "late_report": "Late Report",
    "headlines": "Headlines",
    "magazine": "The Lamp Hour",
    "match": "Match Afternoon",
}
_WEEKLY: Final = frozenset({"drama", "comedy", "factual"})
_ONE_OFF: Final = frozenset({"film", "documentary"})
_DESCRIBED: Final = frozenset({"drama", "film", "soap"})

_ZONE_NAME: Final = "Europe/London"
# The last radio programme of a day runs past midnight, and the first of the next day begins where it ends.
_RADIO_RUNS_OVER: Final = timedelta(minutes=30)
_SHORTEST_LAST: Final = timedelta(minutes=20)


def derive_pid(name: str, prefix: str) -> str:
    """Return the pid of ``name``, always the same: ``prefix``, which pids may have, and 8 characters."""
    number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
    digits = []
    for _ in range(8):
        number, digit = divmod(number, len(PID_ALPHABET))
        digits.append(PID_ALPHABET[digit])
    return prefix + "".join(digits)


def render_instant(at: datetime) -> str:
    """Return an aware instant as the upstream documents write it, in UTC and whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_sample(first_date: date, days: int = 14, seed: int = 0, *, clock_change_days: bool = True) -> Sample:
    """Return the broadcaster's catalogue, and its schedules of ``days`` consecutive days.

    The same arguments give the same sample. With ``clock_change_days`` one service pair also has the latest
    day of 23 hours and the latest of 25 hours before the window's end, which lie in the window or before it.
    """
    catalogue = _Catalogue(seed)
    catalogue.shows |= _stock(catalogue)
    window = [first_date + timedelta(days=n) for n in range(days)]
    schedules: dict[SourceKey, Document] = {}
    for channel in _CHANNELS:
        for on in window:
            schedules.update(_channel_day(catalogue, channel, on))
    if clock_change_days:
        pair = _Channel("alder_one", "one", _REGIONS[:1])
        for on in _latest_clock_changes(pair, first_date + timedelta(days=days)):
            schedules.update(_channel_day(catalogue, pair, on))
    return Sample(catalogue.documents, schedules)


class _Catalogue:
    """The catalogue while it grows, and the shows of each strand.

    Each item depends only on the seed and its own name, so the order of the additions does not matter.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.documents: dict[str, Document] = {}
        self.shows: dict[str, list[Show]] = {}

    def rng(self, name: str) -> Random:
        return Random(f"{self._seed}/{name}")

    def add(self, name: str, kind: str, title: str | None = None, parent: str = "", position: int = 1) -> str:
        """Add an item, with an invented title where none is given, and return its pid."""
        rng = self.rng(name)
        pid = derive_pid(name, "b")
        document: Document = {"pid": pid, "type": kind, "title": title}
        if title is None:
            document["title"] = invent_title(rng)
        if kind != "brand":
            document |= {"parent_pid": parent or None, "position": position}
        self.documents[pid] = document | _describe(rng, name, kind)
        return pid

    def dated(self, brand: str, on: date, part: int) -> str:
        """Return the pid of a brand's ``part`` of the day; both are added when first asked for."""
        name = f"dated/{brand}/{on}/{part}"
        pid = derive_pid(name, "b")
        if pid not in self.documents:
            parent = derive_pid(f"dated/{brand}", "b")
            if parent not in self.documents:
                self.add(f"dated/{brand}", "brand", brand)
            self.add(name, "episode", f"{brand} - {on:%d/%m/%Y}", parent, on.timetuple().tm_yday)
        return pid


def _describe(rng: Random, name: str, kind: str) -> Document:
    """Return the optional fields of an item; in each kind some are empty, some null, some absent."""
    fields: Document = {
        "synopses": {
            "short": invent_synopsis(rng),
            "medium": invent_synopsis(rng, 2),
            "long": invent_synopsis(rng, 4) if rng.random() < 0.4 else "",
        },
        "image_pid": derive_pid(f"image/{name}", "p") if rng.random() < _SHARE_WITH_IMAGE[kind] else "",
    }
    if kind == "episode":
        fields["warning_text"] = rng.choice(_WARNINGS) if rng.random() < 0.06 else None
        if rng.random() < 0.05:
            fields["presentation_title"] = invent_title(rng)
    elif rng.random() < 0.1:
        fields |= {"image_pid": None, "warning_text": None}
    elif rng.random() < 0.1:
        del fields["synopses"]
    return fields


def _stock(catalogue: _Catalogue) -> dict[str, list[Show]]:
    """Add the shows that are not bound to a date, and return them by strand."""
    return {
        "soap": [_strip(catalogue, "soap/0", 300, "Fellgate Row")],
        "daytime_soap": [_strip(catalogue, "soap/1", 240, "Tarn Infirmary")],
        "radio_soap": [_strip(catalogue, "soap/2", 120, "Lower Wexcombe")],
        "drama": list(_dramas(catalogue)),
        "factual": [_brand(catalogue, f"factual/{n}", 2, 8) for n in range(18)],
        "comedy": [_brand(catalogue, f"comedy/{n}", 2, 6) for n in range(8)],
        "quiz": [_strip(catalogue, f"quiz/{n}", 24) for n in range(9)],
        "children": [_strip(catalogue, f"children/{n}", 16) for n in range(20)],
        "music": [_strip(catalogue, f"music/{n}", 14) for n in range(8)],
        "talk": [_strip(catalogue, f"talk/{n}", 14) for n in range(6)],
        "filler": [_strip(catalogue, "filler", 12, "Interlude")],
        "film": [(catalogue.add(f"film/{n}", "episode"),) for n in range(140)],
        "documentary": [(catalogue.add(f"documentary/{n}", "episode"),) for n in range(40)],
    }


def _strip(catalogue: _Catalogue, name: str, length: int, title: str | None = None) -> Show:
    """Add a brand whose episodes hang directly under it."""
    brand = catalogue.add(name, "brand", title)
    return _episodes(catalogue, name, brand, length)


def _brand(catalogue: _Catalogue, name: str, series_count: int, length: int) -> Show:
    """Add a brand with series of ``length`` episodes each."""
    brand = catalogue.add(name, "brand")
    return tuple(
        chain.from_iterable(_series(catalogue, name, brand, n, length) for n in range(1, series_count + 1))
    )


def _series(catalogue: _Catalogue, name: str, parent: str, number: int, length: int) -> Show:
    series = catalogue.add(f"{name}/series/{number}", "series", f"Series {number}", parent, number)
    return _episodes(catalogue, f"{name}/series/{number}", series, length)


def _episodes(catalogue: _Catalogue, name: str, parent: str, length: int) -> Show:
    """Add episodes: most have a title of their own, some a number, some none."""
    pids = []
    for number in range(1, length + 1):
        kind_of_title = catalogue.rng(f"{name}/title/{number}").random()
        title = "" if kind_of_title < 0.04 else f"Episode {number}" if kind_of_title < 0.4 else None
        pids.append(catalogue.add(f"{name}/episode/{number}", "episode", title, parent, number))
    return tuple(pids)


def _dramas(catalogue: _Catalogue) -> Iterator[Show]:
    """Add dramas of every ancestry: plain, nested, without a brand, under a nameless or unknown parent."""
    for n in range(16):
        yield _brand(catalogue, f"drama/{n}", 3, 6)
    for n in range(8):
        yield _nested(catalogue, f"nested/{n}", inner_title=None if n else "")
    for n in range(6):
        series = catalogue.add(f"brandless/{n}", "series", None if n else "")
        yield _episodes(catalogue, f"brandless/{n}", series, 6)
    yield _series(catalogue, "orphan", derive_pid("a brand that was never delivered", "b"), 1, 6)


def _nested(catalogue: _Catalogue, name: str, inner_title: str | None) -> Show:
    """Add a brand with series in which stories of two episodes are series in their turn."""
    brand = catalogue.add(name, "brand")
    shows: list[str] = []
    for number in (1, 2):
        outer = catalogue.add(f"{name}/{number}", "series", f"Series {number}", brand, number)
        for story in (1, 2, 3):
            inner = catalogue.add(f"{name}/{number}/{story}", "series", inner_title, outer, story)
            shows.extend(_episodes(catalogue, f"{name}/{number}/{story}", inner, 2))
    return tuple(shows)


def _channel_day(catalogue: _Catalogue, channel: _Channel, on: date) -> Iterator[tuple[SourceKey, Document]]:
    """Yield the schedule of each variant: the channel's line-up with its own pids and local news."""
    line_up = [*_line_up(catalogue, channel, on)]
    for sid, region in channel.services():
        broadcasts = []
        for number, (strand, showing) in enumerate(line_up):
            broadcast = {"broadcast_pid": derive_pid(f"{sid}/{on}/{number}", "p"), **showing}
            if strand == "local":
                brand = f"{region.replace('_', ' ').title()} Tonight"
                broadcast |= _programme(catalogue.dated(brand, on, number))
            elif strand == "match" and region in _REGIONS_WITHOUT_MATCH_RIGHTS:
                broadcast["is_blanked"] = True
            broadcasts.append(broadcast)
        yield (sid, on), _schedule(sid, on, broadcasts)


def _schedule(sid: str, on: date, broadcasts: list[Document]) -> Document:
    published_at = f"{on - timedelta(days=7)}T09:00:00Z"
    return {"sid": sid, "date": on.isoformat(), "published_at": published_at, "broadcasts": broadcasts}


def _programme(episode_pid: str, edition: str = "original") -> Document:
    return {"episode_pid": episode_pid, "version_pid": derive_pid(f"{episode_pid}/{edition}", "v")}


def _line_up(catalogue: _Catalogue, channel: _Channel, on: date) -> Iterator[tuple[str, Document]]:
    """Yield (strand, broadcast without its pid) for the channel's day, in order and without a gap."""
    rng = catalogue.rng(f"{channel.name}/{on}")
    hours = _hours(channel, on)
    for number, (slot, start, end) in enumerate(_place(day_slots(channel.grid, on), hours)):
        is_described = slot.strand in _DESCRIBED and not slot.is_signed and rng.random() < 0.4
        edition = "signed" if slot.is_signed else "described" if is_described else "original"
        episode_pid = _cast(catalogue, slot, channel, on, number)
        showing = _programme(episode_pid, edition) | {
            "start": render_instant(start),
            "end": render_instant(end),
            "is_repeat": slot.is_repeat,
            "is_blanked": False,
            "is_signed": slot.is_signed,
            "is_audio_described": is_described,
        }
        yield slot.strand, showing


def _hours(channel: _Channel, on: date) -> Interval:
    """Return the interval that a day's line-up fills: its window, for radio up to the line-up of the next day."""
    calendar = BroadcastCalendar(ZoneInfo(_ZONE_NAME), (RADIO_SERVICES,))
    days = (on, on + timedelta(days=1))
    window, following = (calendar.window(ScheduleKey(Sid(channel.name), day)) for day in days)
    if channel.is_radio:
        return Interval(window.start + _RADIO_RUNS_OVER, following.start + _RADIO_RUNS_OVER)
    return window


def _latest_clock_changes(channel: _Channel, before: date) -> Iterator[date]:
    """Yield a television channel's last day of 23 hours and its last of 25 hours before a date."""
    for hours in (23, 25):
        days = (before - timedelta(days=n) for n in count(1))
        yield next(day for day in days if _hours(channel, day).length == timedelta(hours=hours))


def _place(slots: Iterator[Slot], hours: Interval) -> Iterator[tuple[Slot, datetime, datetime]]:
    """Yield the slots with their start and end until the day is full; the last is lengthened to its end."""
    start = hours.start
    while start < hours.end:
        slot = next(slots)
        end = start + timedelta(minutes=slot.minutes)
        if hours.end - end < _SHORTEST_LAST:
            end = hours.end
        yield slot, start, end
        start = end


def _cast(catalogue: _Catalogue, slot: Slot, channel: _Channel, on: date, number: int) -> str:
    """Return the pid of the episode that fills the channel's slot with that number on that day."""
    strand = slot.strand
    # Local news is a placeholder here: each variant replaces it by its own.
    if strand in _DATED or strand == "local":
        return catalogue.dated(_DATED.get(strand, "Network Tonight"), on, number)
    if strand == "unannounced":
        if on.toordinal() % 5 == 0:
            return derive_pid(f"an episode that is not in the catalogue yet/{on}", "b")
        strand = "drama"
    salt = sum(channel.name.encode()) + 5 * number
    if strand in _ONE_OFF:
        return catalogue.rng(f"{salt}/{on}").choice(catalogue.shows[strand])[0]
    if strand in _WEEKLY:
        return _episode_of(
            catalogue.shows[strand], salt + 3 * on.weekday(), on.toordinal() // 7 - slot.is_repeat
        )
    return _episode_of(catalogue.shows[strand], salt, on.toordinal() - slot.is_repeat)


def _episode_of(shows: list[Show], choice: int, step: int) -> str:
    """Return the episode that a show has reached after ``step`` days or weeks, beginning again at its end."""
    show = shows[choice % len(shows)]
    return show[step % len(show)]
