"""An endless sequence of realistic changes to a sample, as editors and transmission make them all day.

This module decides which documents change next and how; ``upstream`` writes them. The clock is an argument.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from demo.line_ups import Impossible, LineUp, drop, insert, move, overrun, start_of
from demo.sample import Document, Sample, SourceKey, derive_pid, render_instant
from demo.words import invent_synopsis, invent_title

_MINUTE: Final = timedelta(minutes=1)
_STEP: Final = 5 * _MINUTE
_MIN_BROADCASTS: Final = 12
_MAX_BROADCASTS: Final = 70
_ATTEMPTS: Final = 200
_DAY_BEGINS_AFTER: Final = timedelta(hours=6)
_MAX_ANCESTORS: Final = 8

_PLACEHOLDER: Final = re.compile(r" - \d\d/\d\d/\d{4}$")
_EDITION: Final = re.compile(r" \([^)]*\)$")
_EDITIONS: Final = ("", " (Summer Season)", " (New Series)", " (Extra)", " (At Ten)")
_SENTENCES: Final = {"short": 1, "medium": 2, "long": 4}


@dataclass(frozen=True, slots=True)
class Change:
    """Documents to write upstream at one moment. A schedule that is None is removed. ``deleted``: catalogue items to
    delete, with their types.

    The traffic keeps using these documents, so callers must not alter them.
    """

    description: str
    catalogue: dict[str, Document] = field(default_factory=dict)
    schedules: dict[SourceKey, Document | None] = field(default_factory=dict)
    deleted: dict[str, str] = field(default_factory=dict)


class Traffic:
    """Makes changes that build on each other. It does not alter the given sample."""

    def __init__(self, sample: Sample, rng: Random) -> None:
        self._guide = _Guide(dict(sample.catalogue), dict(sample.schedules), rng)

    def changes(self, clock: Callable[[], datetime]) -> Iterator[Change]:
        """Yield changes without end, each for the aware instant that the clock returns."""
        while True:
            yield self.next_change(clock())

    def next_change(self, now: datetime) -> Change:
        """Return the next change, most likely of a schedule near ``now``, an aware instant.

        Raises LookupError if the sample allows no change, and ValueError if ``now`` has no time zone.
        """
        if now.tzinfo is None:
            raise ValueError(f"the instant {now.isoformat()} has no time zone")
        change = self._finish(now) or self._begin(now)
        self._guide.catalogue.update(change.catalogue)
        self._guide.schedules.update({key: new for key, new in change.schedules.items() if new})
        return change

    def _finish(self, now: datetime) -> Change | None:
        """Return the second half of the previous change, if it has one."""
        follow_up, self._guide.follow_up = self._guide.follow_up, None
        return follow_up(now) if follow_up else None

    def _begin(self, now: datetime) -> Change:
        for maker in self._guide.rng.choices([*_WEIGHTS], [*_WEIGHTS.values()], k=_ATTEMPTS):
            with suppress(Impossible):
                return maker(self._guide, now)
        raise LookupError("the sample has no schedule and no catalogue item that could change")


@dataclass(slots=True)
class _Guide:
    """The current content of the upstream systems, and choices from it. Documents are replaced, never altered."""

    catalogue: dict[str, Document]
    schedules: dict[SourceKey, Document]
    rng: Random
    follow_up: Callable[[datetime], Change] | None = None

    def line_up(self, key: SourceKey) -> LineUp:
        line_up: LineUp = self.schedules[key]["broadcasts"]
        return line_up

    def choose_showing(self, now: datetime) -> tuple[SourceKey, int]:
        """Choose a place in a schedule; in a schedule that is on air, one near ``now``."""
        key = self.choose_key(now)
        starts = [start_of(broadcast) for broadcast in self.line_up(key)]
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
        for broadcast in sorted(line_up, key=lambda broadcast: abs(start_of(broadcast) - now)):
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
        while len(lineage) <= _MAX_ANCESTORS:
            item = self.catalogue.get(item.get("parent_pid") or "", item)
            if item["pid"] in lineage:
                break
            lineage[item["pid"]] = item
        return [*lineage.values()]

    def referenced(self) -> set[str]:
        """Return the pids of the items in any schedule, and of their ancestors."""
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
        """Return the titles of an item's brand and of the item, or else its pid."""
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
    """Give a new image to an episode or to one of its ancestors, or withdraw its image."""
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
    if len(guide.line_up(key)) >= _MAX_BROADCASTS:
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
    if len(guide.line_up(key)) <= _MIN_BROADCASTS:
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


# As frequent as in a real guide, except that rare kinds are raised so that a user sees them.
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


def _showing(broadcast: Document) -> tuple[str, str, str]:
    return broadcast["version_pid"], broadcast["start"], broadcast["end"]


def _programme(episode_pid: str) -> Document:
    return {"episode_pid": episode_pid, "version_pid": derive_pid(f"{episode_pid}/original", "v")}


def _path(key: SourceKey) -> str:
    sid, on = key
    return f"{sid}/{on.isoformat()}"
