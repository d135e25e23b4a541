"""A fictional broadcaster, made from a seed: its services, its catalogue and its schedules.

Belongs here: what the demonstration invents, in the upstream systems' formats, with the shapes that real
upstreams have (nested series, missing parents, inherited images, days of 23 and 25 hours).
Does not belong here: how all that changes (``traffic``) and how it is written to the servers (``upstream``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import blake2b
from itertools import chain, count, cycle
from random import Random
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval

Document: TypeAlias = dict[str, Any]
SourceKey: TypeAlias = tuple[str, date]
Show: TypeAlias = tuple[str, ...]

RADIO_SERVICES: Final = "*radio*"
"""The sids of the broadcaster's radio services, as a pattern of file names."""

PID_ALPHABET: Final = "0123456789bcdfghjklmnpqrstvwxyz"


def _list(text: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(text.split(separator))


_ADJECTIVES: Final = _list(
    "Amber Brittle Copper Crooked Distant Drowned Early Faded Glass Hidden Hollow Idle Ivory Kindly Lantern "
    "Late Marble Northern Paper Patient Quiet Russet Salt Second Silver Slow Tidal Velvet Wandering Winter"
)
_NOUNS: Final = _list(
    "Almanac Anchor Atlas Bakery Beacon Bridge Chapel Compass Cottage Estuary Ferry Garden Harbour "
    "Inheritance Junction Kiln Ledger Lighthouse Meadow Mill Orchard Parade Quarry Quay Regatta Signal "
    "Tenant Verdict Viaduct Weir"
)
_PEOPLE: Final = _list("Maren Tobias Ottoline Fenn Isolde Bram Cressida Idunn Wilf Zora")
_DEEDS: Final = _list(
    "finds an unsigned letter|breaks a promise|opens the old workshop|misses the last boat|returns with news|"
    "takes a chance|meets a rival|sells the family clock|learns the truth|is asked to judge",
    "|",
)
_PLACES: Final = _list(
    "by the canal|above the bakery|on the night ferry|in the town hall|under the viaduct|at the harvest fair|"
    "behind the chapel|across the border|on the moor|at the water's edge",
    "|",
)
_WARNINGS: Final = ("Contains some strong language.", "Contains flashing images.", "Upsetting scenes.")
_SHARE_WITH_IMAGE: Final = {"brand": 0.9, "series": 0.4, "episode": 0.5}

_REGIONS: Final = _list(
    "north north_east north_west midlands eastern southern south_east south_west western highlands islands "
    "capital"
)
_REGIONS_WITHOUT_MATCH_RIGHTS: Final = frozenset({"highlands", "islands"})


@dataclass(frozen=True, slots=True)
class Sample:
    """What the upstream systems hold: catalogue documents by pid, schedule documents by service and date."""

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


@dataclass(frozen=True, slots=True)
class _Slot:
    strand: str
    minutes: int
    is_repeat: bool
    is_signed: bool


# A grid is a day from its first minute: strand:minutes, with * for a repeat.
_GRIDS: Final = {
    "one": """
        daybreak:180 factual:45 *factual:45 factual:45 quiz:45 factual:60 noon_report:30 local:15
        daytime_soap:30 *drama:45 factual:45 quiz:45 *quiz:45 quiz:45 evening_report:30 local:27 filler:3
        magazine:30 soap:30 factual:60 drama:60 late_report:30 local:10 comedy:35 film:105
    """,
    "one_weekend": """
        daybreak:180 factual:90 quiz:45 *comedy:30 factual:45 noon_report:20 local:10 match:150 *factual:60
        quiz:50 evening_report:20 local:7 filler:3 factual:50 quiz:60 drama:60 comedy:30 late_report:20
        local:10 film:120
    """,
    "two": """
        *factual:60 *drama:60 *factual:45 *quiz:45 documentary:90 factual:45 quiz:30 noon_report:60
        factual:45 film:105 *factual:45 quiz:45 filler:3 factual:42 quiz:30 factual:60 documentary:60
        drama:60 comedy:30 late_report:45 film:110
    """,
    "three": """
        *comedy:30 *drama:60 factual:45 *quiz:45 film:100 *factual:60 unannounced:50 comedy:30 drama:60
        factual:45 comedy:35 quiz:40 filler:3 drama:57 film:120 comedy:30 documentary:60 drama:60 film:110
    """,
    "sprouts": "children:20 children:15 *children:25 children:30 filler:3 children:27 " * 7 + "comedy:30",
    "news": (
        "daybreak:180 "
        + "headlines:60 documentary:30 headlines:30 " * 6
        + "evening_report:60 headlines:60 documentary:60 late_report:60 headlines:60"
    ),
    "film": "film:95 film:115 filler:3 film:102 *film:100 " * 2 + "film:97 film:125 film:110 film:130",
    "archive": (
        "*drama:60 *factual:45 *comedy:35 *documentary:60 *quiz:40 *film:120 *drama:60 filler:3 *factual:57 "
        * 2
    ),
    "radio": (
        "music:90 music:60 headlines:30 "
        * 2
        + "daybreak:180 talk:60 headlines:30 music:90 talk:30 radio_soap:15 talk:45 noon_report:60 music:120 "
        "talk:60 evening_report:30 radio_soap:15 talk:45 music:60 late_report:45 music:75 music:120"
    ),
}

# What fills the rest of the day, again and again: the night is where a day of 25 hours is longer.
# Here & marks a repeat in sign language.
_NIGHT: Final = "&soap:30 &drama:60 &factual:60 headlines:45 *documentary:60"
_NIGHTS: Final = {
    "two": "&drama:60 *documentary:60 &factual:60",
    "three": "*comedy:30 &drama:60 *factual:60",
    "sprouts": "*children:30 *children:60",
    "news": "headlines:60 *documentary:60",
    "film": "*film:105 *film:120",
    "archive": "*drama:60 *comedy:30",
    "radio": "*music:60",
}

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
_SATURDAY: Final = 5


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


def invent_title(rng: Random) -> str:
    """Return a programme's title, such as "The Hollow Viaduct"."""
    pattern = rng.choice(("{} {}", "The {} {}", "One {} {}", "{} {} Revisited"))
    return pattern.format(rng.choice(_ADJECTIVES), rng.choice(_NOUNS))


def invent_synopsis(rng: Random, sentences: int = 1) -> str:
    """Return that many sentences about what happens."""
    return " ".join(
        f"{rng.choice(_PEOPLE)} {rng.choice(_DEEDS)} {rng.choice(_PLACES)}." for _ in range(sentences)
    )


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

    Each item depends on the seed and its own name only, not on what was added before.
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
    elif rng.random() < 0.1:
        fields |= {"image_pid": None, "warning_text": None}
    elif rng.random() < 0.1:
        del fields["synopses"]
    return fields


def _stock(catalogue: _Catalogue) -> dict[str, list[Show]]:
    """Add everything that can be shown on any day, and return the shows of each strand."""
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
    for number, (slot, start, end) in enumerate(_place(_grid(channel, on), hours)):
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
    """Return what the day's line-up fills: its window, but for radio up to the line-up of the next day."""
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


def _grid(channel: _Channel, on: date) -> Iterator[_Slot]:
    """Yield the channel's slots, and after them those of the night without end."""
    grid, night = _GRIDS[channel.grid], _NIGHTS.get(channel.grid, _NIGHT)
    if on.weekday() >= _SATURDAY:
        grid = _GRIDS.get(f"{channel.grid}_weekend", grid)
    return chain(map(_parse_slot, grid.split()), cycle([_parse_slot(text) for text in night.split()]))


def _parse_slot(text: str) -> _Slot:
    strand, minutes = text.lstrip("*&").split(":")
    return _Slot(strand, int(minutes), is_repeat=text[0] in "*&", is_signed=text[0] == "&")


def _place(slots: Iterator[_Slot], hours: Interval) -> Iterator[tuple[_Slot, datetime, datetime]]:
    """Yield the slots with their start and end until the day is full; the last takes what is left over."""
    start = hours.start
    while start < hours.end:
        slot = next(slots)
        end = start + timedelta(minutes=slot.minutes)
        if hours.end - end < _SHORTEST_LAST:
            end = hours.end
        yield slot, start, end
        start = end


def _cast(catalogue: _Catalogue, slot: _Slot, channel: _Channel, on: date, number: int) -> str:
    """Return the pid of the episode that fills the channel's slot with that number on that day."""
    strand = slot.strand
    # Local news: what is cast here stands only until each variant puts its own in.
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
