"""Realistic changes of a sample, without end: what editors and transmission do to a guide all day.

Belongs here: deciding which documents change next and how, and the state that these decisions build on.
Does not belong here: writing the documents anywhere (``upstream``), and when. The clock is an argument.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final, TypeAlias

from demo.sample import Document, Sample, SourceKey, derive_pid, invent_synopsis, invent_title, render_instant

LineUp: TypeAlias = list[Document]

_MINUTE: Final = timedelta(minutes=1)
_STEP: Final = 5 * _MINUTE
# A programme that gives up time keeps at least this much of it.
_SHORTEST: Final = 5 * _MINUTE
_INSERTED: Final = 15 * _MINUTE
# How many programmes an overrun pushes before one that is long enough may end it.
_PUSHED_AT_LEAST: Final = 3
_FEWEST_BROADCASTS: Final = 12
_MOST_BROADCASTS: Final = 70
_ATTEMPTS: Final = 200
_DAY_BEGINS_AFTER: Final = timedelta(hours=6)
_MOST_ANCESTORS: Final = 8

_PLACEHOLDER: Final = re.compile(r" - \d\d/\d\d/\d{4}$")
_EDITION: Final = re.compile(r" \([^)]*\)$")
_EDITIONS: Final = ("", " (Summer Season)", " (New Series)", " (Extra)", " (At Ten)")
_SENTENCES: Final = {"short": 1, "medium": 2, "long": 4}


class Impossible(Exception):
    """A change cannot be made at the place that was chosen; another change, or another place, can."""


@dataclass(frozen=True, slots=True)
class Change:
    """New documents to write upstream at one moment; a schedule that is None is to be removed.

    The traffic that made a change still uses its documents: they are to be read, never altered.
    """

    description: str
    catalogue: dict[str, Document] = field(default_factory=dict)
    schedules: dict[SourceKey, Document | None] = field(default_factory=dict)


class Traffic:
    """Makes changes that build on each other. The sample that it was given stays as it is."""

    def __init__(self, sample: Sample, rng: Random) -> None:
        self._guide = _Guide(dict(sample.catalogue), dict(sample.schedules), rng)

    def changes(self, clock: Callable[[], datetime]) -> Iterator[Change]:
        """Yield changes without end, each made for the aware instant that the clock then gives."""
        while True:
            yield self.next_change(clock())

    def next_change(self, now: datetime) -> Change:
        """Return the next change, most likely of a schedule near ``now``, an aware instant.

        Raises ``LookupError`` where the sample is too poor for any change.
        """
        if now.tzinfo is None:
            raise ValueError(f"the instant {now.isoformat()} has no time zone")
        change = self._finish(now) or self._begin(now)
        self._guide.catalogue.update(change.catalogue)
        self._guide.schedules.update({key: new for key, new in change.schedules.items() if new})
        return change

    def _finish(self, now: datetime) -> Change | None:
        """Return what the change before has left to be done at this step, if anything."""
        follow_up, self._guide.follow_up = self._guide.follow_up, None
        return follow_up(now) if follow_up else None

    def _begin(self, now: datetime) -> Change:
        for maker in self._guide.rng.choices([*_WEIGHTS], [*_WEIGHTS.values()], k=_ATTEMPTS):
            with suppress(Impossible):
                return maker(self._guide, now)
        raise LookupError("the sample has no schedule and no catalogue item that could change")


@dataclass(slots=True)
class _Guide:
    """What upstream holds by now, and what there is to choose from. Documents are replaced, never altered."""

    catalogue: dict[str, Document]
    schedules: dict[SourceKey, Document]
    rng: Random
    follow_up: Callable[[datetime], Change] | None = None

    def line_up(self, key: SourceKey) -> LineUp:
        line_up: LineUp = self.schedules[key]["broadcasts"]
        return line_up

    def choose_showing(self, now: datetime) -> tuple[SourceKey, int]:
        """Choose a place in a schedule; where the schedule is on air, one that is not far from now."""
        key = self.choose_key(now)
        starts = [_start(broadcast) for broadcast in self.line_up(key)]
        if not starts[0] <= now < starts[0] + timedelta(days=1):
            return key, self.rng.randrange(len(starts))
        nearest = sorted(range(len(starts)), key=lambda index: abs(starts[index] - now))
        return key, nearest[min(int(self.rng.expovariate(0.25)), len(starts) - 1)]

    def choose_key(self, now: datetime) -> SourceKey:
        """Choose a schedule: the nearer its day, the likelier."""
        if not self.schedules:
            raise Impossible
        today = (now - _DAY_BEGINS_AFTER).date()
        weights = [1 / (1 + abs((on - today).days)) ** 2 for _, on in self.schedules]
        return self.rng.choices([*self.schedules], weights)[0]

    def choose_episode(self, now: datetime) -> Document:
        key, index = self.choose_showing(now)
        broadcast = self.line_up(key)[index]
        if broadcast["is_blanked"] or broadcast["episode_pid"] not in self.catalogue:
            raise Impossible
        return self.catalogue[broadcast["episode_pid"]]

    def choose_placeholder(self, now: datetime) -> Document:
        """Choose the episode of a schedule, the nearest to now, that still has a date for a title."""
        line_up = self.line_up(self.choose_key(now))
        for broadcast in sorted(line_up, key=lambda broadcast: abs(_start(broadcast) - now)):
            item = self.catalogue.get(broadcast["episode_pid"])
            if item and _PLACEHOLDER.search(item["title"]):
                return item
        raise Impossible

    def choose_item(self, is_wanted: Callable[[Document], bool]) -> Document:
        if items := [item for item in self.catalogue.values() if is_wanted(item)]:
            return self.rng.choice(items)
        raise Impossible

    def lineage(self, item: Document) -> list[Document]:
        """Return the item and its ancestors, as far as the catalogue has them."""
        lineage = {item["pid"]: item}
        while len(lineage) <= _MOST_ANCESTORS:
            item = self.catalogue.get(item.get("parent_pid") or "", item)
            if item["pid"] in lineage:
                break
            lineage[item["pid"]] = item
        return [*lineage.values()]

    def referenced(self) -> set[str]:
        """Return the pids of the items that some schedule shows, and of their ancestors."""
        shown = {broadcast["episode_pid"] for key in self.schedules for broadcast in self.line_up(key)}
        items = [self.catalogue[pid] for pid in shown if pid in self.catalogue]
        return {kin["pid"] for item in items for kin in self.lineage(item)}

    def siblings(self, key: SourceKey, index: int) -> Iterator[tuple[SourceKey, int]]:
        """Yield every place that shows the same version at the same time, the given one among them."""
        shared = _showing(self.line_up(key)[index])
        for sibling in self.schedules:
            if sibling[1] == key[1]:
                showings = map(_showing, self.line_up(sibling))
                yield from ((sibling, place) for place, showing in enumerate(showings) if showing == shared)

    def describe(self, key: SourceKey, index: int) -> str:
        episode_pid = self.line_up(key)[index]["episode_pid"]
        return f"{self.name(self.catalogue.get(episode_pid, {'pid': episode_pid}))} on {_path(key)}"

    def name(self, item: Document) -> str:
        """Return how people would call an item: by its brand and its own title, or else by its pid."""
        lineage = self.lineage(item)
        ends = lineage[:1] if len(lineage) == 1 else [lineage[-1], lineage[0]]
        titles = [kin["title"] for kin in ends if kin.get("title")]
        return repr(": ".join(titles)) if titles else str(item["pid"])

    def reschedule(self, description: str, line_ups: dict[SourceKey, LineUp], now: datetime) -> Change:
        published_at = render_instant(now)
        schedules: dict[SourceKey, Document | None] = {
            key: self.schedules[key] | {"published_at": published_at, "broadcasts": line_up}
            for key, line_up in line_ups.items()
        }
        return Change(description, schedules=schedules)

    def new_pid(self, prefix: str) -> str:
        return derive_pid(f"traffic/{self.rng.getrandbits(64)}", prefix)


def _retitle(guide: _Guide, now: datetime) -> Change:
    return _rename(guide, guide.choose_episode(now), invent_title(guide.rng), "retitle")


def _replace_placeholder(guide: _Guide, now: datetime) -> Change:
    return _rename(guide, guide.choose_placeholder(now), invent_title(guide.rng), "placeholder")


def _edit_unreferenced(guide: _Guide, _now: datetime) -> Change:
    referenced = guide.referenced()
    item = guide.choose_item(lambda item: item["pid"] not in referenced)
    return _rename(guide, item, invent_title(guide.rng), "unreferenced")


def _edit_brand(guide: _Guide, now: datetime) -> Change:
    brand = guide.lineage(guide.choose_episode(now))[-1]
    if brand["type"] != "brand":
        raise Impossible
    return _rename(guide, brand, _EDITION.sub("", brand["title"]) + guide.rng.choice(_EDITIONS), "brand")


def _edit_synopsis(guide: _Guide, now: datetime) -> Change:
    item = guide.choose_episode(now)
    length = guide.rng.choice([*_SENTENCES])
    text = invent_synopsis(guide.rng, _SENTENCES[length])
    synopses = (item.get("synopses") or {}) | {length: text}
    return _edit(item, f"synopsis: {length} one of {guide.name(item)}", synopses=synopses)


def _change_image(guide: _Guide, now: datetime) -> Change:
    """Give a new image to an episode or an ancestor of it, or withdraw the one that it has."""
    item = guide.rng.choice(guide.lineage(guide.choose_episode(now)))
    is_withdrawn = bool(item.get("image_pid")) and guide.rng.random() < 0.2
    what = "withdrawn from" if is_withdrawn else "new one of"
    image_pid = "" if is_withdrawn else guide.new_pid("p")
    return _edit(item, f"image: {what} {item['type']} {guide.name(item)}", image_pid=image_pid)


def _touch_unused_field(guide: _Guide, now: datetime) -> Change:
    item = guide.choose_episode(now)
    return _edit(item, f"unused field: position of {guide.name(item)}", position=item.get("position", 0) + 1)


def _reparent(guide: _Guide, now: datetime) -> Change:
    """Hang an episode under another series or brand, or a series under another brand: never a cycle."""
    lineage = guide.lineage(guide.choose_episode(now))
    item = guide.rng.choice([kin for kin in lineage if kin["type"] != "brand"])
    kinds = {"brand", "series"} if item["type"] == "episode" else {"brand"}
    parent = guide.choose_item(
        lambda other: other["type"] in kinds and other["pid"] != item.get("parent_pid")
    )
    return _edit(
        item, f"parent: {guide.name(item)} moves under {guide.name(parent)}", parent_pid=parent["pid"]
    )


def _rename(guide: _Guide, item: Document, title: str, kind: str) -> Change:
    if title == item["title"]:
        raise Impossible
    return _edit(item, f"{kind}: {guide.name(item)} becomes {title!r}", title=title)


def _edit(item: Document, description: str, **fields: object) -> Change:
    return Change(description, catalogue={item["pid"]: item | fields})


def _move(guide: _Guide, now: datetime) -> Change:
    key, index = guide.choose_showing(now)
    direction, by = guide.rng.choice((("later", _STEP), ("earlier", -_STEP)))
    line_up = move(guide.line_up(key), index, by)
    text = f"move: {guide.describe(key, index)} {_STEP // _MINUTE} minutes {direction}"
    return guide.reschedule(text, {key: line_up}, now)


def _insert(guide: _Guide, now: datetime) -> Change:
    key, index = guide.choose_showing(now)
    if len(guide.line_up(key)) >= _MOST_BROADCASTS:
        raise Impossible
    episode = guide.choose_item(_can_be_shown_on_any_day)
    flags = dict.fromkeys(("is_repeat", "is_blanked", "is_signed", "is_audio_described"), False)
    newcomer = {"broadcast_pid": guide.new_pid("p"), **_programme(episode["pid"]), **flags}
    line_up = insert(guide.line_up(key), index, newcomer)
    return guide.reschedule(f"insert: {guide.name(episode)} on {_path(key)}", {key: line_up}, now)


def _can_be_shown_on_any_day(item: Document) -> bool:
    return item["type"] == "episode" and not _PLACEHOLDER.search(item["title"])


def _drop(guide: _Guide, now: datetime) -> Change:
    key, index = guide.choose_showing(now)
    if len(guide.line_up(key)) <= _FEWEST_BROADCASTS:
        raise Impossible
    line_up = drop(guide.line_up(key), index)
    return guide.reschedule(f"drop: {guide.describe(key, index)}", {key: line_up}, now)


def _overrun(guide: _Guide, now: datetime) -> Change:
    """Let a programme overrun on every service that shows it at that time."""
    key, index = guide.choose_showing(now)
    by = _STEP * guide.rng.randint(1, 5)
    line_ups = {key: overrun(guide.line_up(key), index, by)}
    for sibling, place in guide.siblings(key, index):
        with suppress(Impossible):
            line_ups[sibling] = overrun(guide.line_up(sibling), place, by)
    text = f"overrun: {guide.describe(key, index)} by {by // _MINUTE} minutes, services: {len(line_ups)}"
    return guide.reschedule(text, line_ups, now)


def _tear(guide: _Guide, now: datetime) -> Change:
    """Lengthen a programme over the next one, which gives way only at the following step."""
    key, index = guide.choose_showing(now)
    whole = overrun(guide.line_up(key), index, _STEP, pushed_at_least=0)
    torn = [*guide.line_up(key)]
    torn[index] = whole[index]
    shown = guide.describe(key, index)
    guide.follow_up = lambda then: guide.reschedule(f"repair: overlap after {shown}", {key: whole}, then)
    return guide.reschedule(f"overlap: {shown} runs into the next", {key: torn}, now)


def _commission(guide: _Guide, now: datetime) -> Change:
    """Show an episode that the catalogue gets only at the following step."""
    key, index = guide.choose_showing(now)
    line_up = [*guide.line_up(key)]
    replaced = guide.catalogue.get(line_up[index]["episode_pid"], {})
    document = _new_episode(guide, replaced.get("parent_pid"))
    pid: str = document["pid"]
    line_up[index] = line_up[index] | _programme(pid) | {"is_repeat": False, "is_blanked": False}
    guide.follow_up = lambda _: Change(f"late arrival: {guide.name(document)}", {pid: document})
    return guide.reschedule(f"early showing: {pid} on {_path(key)}", {key: line_up}, now)


def _new_episode(guide: _Guide, parent_pid: str | None) -> Document:
    return {
        "pid": guide.new_pid("b"),
        "type": "episode",
        "title": invent_title(guide.rng),
        "parent_pid": parent_pid,
        "synopses": {"short": invent_synopsis(guide.rng), "medium": "", "long": ""},
        "image_pid": "",
        "warning_text": None,
    }


# In the proportions of a real guide, but for the kinds that would otherwise hardly ever be seen.
_WEIGHTS: Final[dict[Callable[[_Guide, datetime], Change], int]] = {
    _retitle: 12,
    _replace_placeholder: 6,
    _edit_synopsis: 10,
    _change_image: 12,
    _edit_brand: 3,
    _reparent: 2,
    _touch_unused_field: 6,
    _edit_unreferenced: 6,
    _move: 18,
    _insert: 12,
    _drop: 10,
    _overrun: 3,
    _tear: 3,
    _commission: 3,
}


def move(line_up: LineUp, index: int, by: timedelta) -> LineUp:
    """Return the line-up with one programme moved, for which its neighbours make room.

    Raises ``Impossible`` where it has no neighbours or they are too short.
    """
    if not 0 < index < len(line_up) - 1:
        raise Impossible
    before, moved, after = line_up[index - 1 : index + 2]
    if _length(before) + by < _SHORTEST or _length(after) - by < _SHORTEST:
        raise Impossible
    window = [_shift(before, end=by), _shift(moved, start=by, end=by), _shift(after, start=by)]
    return [*line_up[: index - 1], *window, *line_up[index + 2 :]]


def insert(line_up: LineUp, index: int, newcomer: Document) -> LineUp:
    """Return the line-up with a newcomer in the last minutes of a programme.

    Raises ``Impossible`` where that programme is too short.
    """
    host = line_up[index]
    if _length(host) < _INSERTED + _SHORTEST:
        raise Impossible
    shortened = _shift(host, end=-_INSERTED)
    times = {"start": shortened["end"], "end": host["end"]}
    return [*line_up[:index], shortened, newcomer | times, *line_up[index + 1 :]]


def drop(line_up: LineUp, index: int) -> LineUp:
    """Return the line-up without one programme, whose time goes to the one before it.

    Raises ``Impossible`` where there is none before it.
    """
    if index == 0:
        raise Impossible
    longer = line_up[index - 1] | {"end": line_up[index]["end"]}
    return [*line_up[: index - 1], longer, *line_up[index + 1 :]]


def overrun(line_up: LineUp, index: int, by: timedelta, pushed_at_least: int = _PUSHED_AT_LEAST) -> LineUp:
    """Return the line-up with one programme longer, and those after it later by as much.

    After ``pushed_at_least`` of them, the first that can spare the time starts late and ends as planned, so
    that the rest of the day stays as it is. Raises ``Impossible`` where none can.
    """
    changed = [*line_up[:index], _shift(line_up[index], end=by)]
    for place in range(index + 1, len(line_up)):
        if place > index + pushed_at_least and _length(line_up[place]) >= by + _SHORTEST:
            return [*changed, _shift(line_up[place], start=by), *line_up[place + 1 :]]
        changed.append(_shift(line_up[place], start=by, end=by))
    raise Impossible


def _shift(broadcast: Document, start: timedelta = timedelta(), end: timedelta = timedelta()) -> Document:
    times = {"start": render_instant(_start(broadcast) + start), "end": render_instant(_end(broadcast) + end)}
    return broadcast | times


def _start(broadcast: Document) -> datetime:
    return datetime.fromisoformat(broadcast["start"])


def _end(broadcast: Document) -> datetime:
    return datetime.fromisoformat(broadcast["end"])


def _length(broadcast: Document) -> timedelta:
    return _end(broadcast) - _start(broadcast)


def _showing(broadcast: Document) -> tuple[str, str, str]:
    return broadcast["version_pid"], broadcast["start"], broadcast["end"]


def _programme(episode_pid: str) -> Document:
    return {"episode_pid": episode_pid, "version_pid": derive_pid(f"{episode_pid}/original", "v")}


def _path(key: SourceKey) -> str:
    sid, on = key
    return f"{sid}/{on.isoformat()}"
