"""Converts an XMLTV guide to the documents that the pipeline ingests: catalogue items and schedules.

Belongs here: assigning episodes to brands, making pids, and assigning broadcasts to broadcast days.
Does not belong here: reading the XML (``xmltv_reader``), and storing the documents.

**Pids.** The pipeline's own guides (:mod:`~schedules_pipeline.documents.xmltv`, same domain) contain them. For other
guides they are hashed, so that the next day's guide gives the same pids. The hash is made from:

- *brand*: the title. A programme without a sub-title and a number has no brand.
- *episode*: a worldwide number (a CRID, or a ``dd_progid`` of an episode or a film), else title, sub-title and number.
  A programme with only a title also uses the description and the year, which distinguish two editions of the news,
  or a film and its remake.
- *broadcast*: the service, the broadcast day, the episode (never by a description), and its count on that day. The
  time is not used, so a programme that moves within its day keeps its pid, and partners see it move. The price: if
  the first of two broadcasts of an episode is dropped, the second one's pid ends; and a corrected title makes another
  programme.

Overlaps and gaps stay; checks of the schedule report them. Everything that is changed is counted as a
:class:`~schedules_pipeline.documents.xmltv_reader.Remark`.
"""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeAlias

from schedules_pipeline.documents.catalogue_document import MAXIMUM_TEXT, MAXIMUM_TITLE
from schedules_pipeline.documents.image_url import parse_image_url
from schedules_pipeline.documents.source_document import MAXIMUM_BROADCASTS
from schedules_pipeline.documents.xmltv import AUDIO_DESCRIBED, BLANKED, UNKNOWN_TITLE
from schedules_pipeline.documents.xmltv_numbers import number_in, title_by_number
from schedules_pipeline.documents.xmltv_reader import (
    Channel,
    Head,
    Programme,
    Readable,
    Reading,
    Remark,
    read_elements,
)
from schedules_pipeline.documents.xmltv_repair import Repaired
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid, is_pid

Document: TypeAlias = dict[str, Any]

_PID_ALPHABET: Final = "0123456789bcdfghjklmnpqrstvwxyz"
_PID_LENGTH: Final = 13
"""Enough for 64 bits: among a million items two have the same pid once in thirty million guides."""
MAXIMUM_NAME: Final = 100
"""Characters of what a service is called."""
_LONGEST_SID: Final = 64
_LONGEST_GUESS: Final = timedelta(hours=12)
_SHORT, _MEDIUM = 90, 180
"""Characters: where a description belongs by its length."""
_OURS: Final = re.compile(r"(episode|series|brand|version|broadcast)/(\S+)")


@dataclass(frozen=True, slots=True)
class ImportRules:
    """``domain``: channels below it are ours, and so are numbers of that system. ``zone`` and ``language`` as of
    :class:`~schedules_pipeline.documents.xmltv_reader.Reading`. An image is taken where its address is one that
    ``image_url_template`` makes. ``repairs``: read a guide that is no XML
    (:mod:`~schedules_pipeline.documents.xmltv_repair`).
    """

    calendar: BroadcastCalendar
    domain: str = ""
    zone: tzinfo = UTC
    language: str = ""
    image_url_template: str = ""
    repairs: bool = False


@dataclass(frozen=True, slots=True)
class ImportedGuide:
    """Catalogue documents by pid, schedule documents by service and date, what the channels are called by sid,
    and how often there was what to remark.
    """

    catalogue: dict[str, Document]
    schedules: dict[tuple[str, date], Document]
    names: dict[str, str]
    remarks: Mapping[Remark, int]


def import_xmltv(stream: Readable, rules: ImportRules, now: datetime) -> ImportedGuide:
    """Read a whole guide. ``now`` is when it was published, where it does not say itself.

    Raises :class:`~schedules_pipeline.errors.InvalidDocument` where it cannot be read to its end. Holds the
    documents and some 300 bytes a programme, not the XML.
    """
    remarks: Counter[Remark] = Counter()
    intake = _Intake(rules, remarks)
    how = Reading(rules.zone, rules.language, lambda remark: remarks.update((remark,)))
    for element in read_elements(Repaired(stream, how.remark) if rules.repairs else stream, how):
        intake.take(element)
    remarks[Remark.CHANNEL_UNDESCRIBED] += len(intake.shown.keys() - intake.names.keys())
    sids = _name_services(intake.shown, rules.domain, remarks)
    published_at = _instant(intake.published_at or now)
    schedules = {}
    for channel, sid in sids.items():
        for day, broadcasts in _days(sid, intake.shown[channel], rules.calendar, remarks):
            head = {"sid": sid, "date": day.isoformat(), "published_at": published_at}
            schedules[str(sid), day] = {**head, "broadcasts": broadcasts}
    names = {
        str(sid): intake.cut(intake.names.get(channel, channel), MAXIMUM_NAME)
        for channel, sid in sids.items()
    }
    return ImportedGuide(intake.catalogue, schedules, names, +remarks)


class _Shown(NamedTuple):
    """A programme whose end and day are not known yet. ``what``: the part of its pid that is hashed."""

    start: datetime
    stop: datetime | None
    what: str
    broadcast_pid: str
    version_pid: str
    episode_pid: str
    is_repeat: bool
    is_blanked: bool
    is_signed: bool
    is_audio_described: bool


@dataclass(slots=True)
class _Intake:
    """The part of the guide that has been read. Programmes wait until the end of the guide gives them an end."""

    rules: ImportRules
    remarks: Counter[Remark]
    published_at: datetime | None = None
    names: dict[str, str] = field(default_factory=dict)
    catalogue: dict[str, Document] = field(default_factory=dict)
    shown: defaultdict[str, list[_Shown]] = field(default_factory=lambda: defaultdict(list))

    def take(self, element: Head | Channel | Programme) -> None:
        match element:
            case Head(date=published_at):
                self.published_at = published_at
            case Channel(id=channel_id, name=name):
                self.remarks[Remark.CHANNEL_REPEATED] += channel_id in self.names
                self.names.setdefault(channel_id, name)
            case Programme():
                self._take_programme(element)

    def _take_programme(self, programme: Programme) -> None:
        ours = _our_pids(programme, self.rules.domain)
        is_blanked = bool(ours) and BLANKED in programme.keywords
        episode_pid = "" if is_blanked else self._catalogued(programme, ours)
        self.shown[programme.channel].append(
            _Shown(
                programme.start,
                programme.stop,
                derive_pid("showing", *_identity(programme, with_description=False)),
                ours.get("broadcast", ""),
                "" if is_blanked else ours.get("version", ""),
                episode_pid,
                programme.is_repeat,
                is_blanked,
                programme.is_signed,
                AUDIO_DESCRIBED in programme.keywords,
            )
        )

    def _catalogued(self, programme: Programme, ours: Mapping[str, str]) -> str:
        """Add the episode and its parent to the catalogue, and return the episode's pid."""
        if ours and "episode" not in ours:
            return ""
        stands_for_none = programme.title == UNKNOWN_TITLE and not programme.subtitle
        title = "" if ours and stands_for_none else programme.title
        pid = ours.get("episode") or derive_pid("episode", *_identity(programme, with_description=True))
        if ours and not any(
            (title, programme.subtitle, programme.description, programme.icon, programme.advisory)
        ):
            return pid
        kind, parent = _parent(programme, ours)
        if not kind:
            return self._put_episode(pid, title, "", programme)
        number = number_in(programme, self.rules.domain)
        parent_pid = self._put(parent or derive_pid("brand", title), kind, self.cut(title, MAXIMUM_TITLE))
        if number.series and kind == "brand" and (not ours or "series" in ours):
            # Without a title, because the episode's, as the guide has it, may begin with the series' title.
            series_pid = ours.get("series") or derive_pid("series", title, str(number.series))
            parent_pid = self._put(
                series_pid, "series", "", {"parent_pid": parent_pid, "position": number.series}
            )
        subtitle = programme.subtitle or ("" if ours else title_by_number(programme, number))
        return self._put_episode(pid, subtitle, parent_pid, programme)

    def _put_episode(self, pid: str, title: str, parent_pid: str, programme: Programme) -> str:
        more = {
            "parent_pid": parent_pid or None,
            "position": number_in(programme, self.rules.domain).episode,
            "synopses": _synopses(self.cut(programme.description, MAXIMUM_TEXT)),
            "image_pid": parse_image_url(self.rules.image_url_template, programme.icon),
            "warning_text": self.cut(programme.advisory, MAXIMUM_TEXT) or None,
        }
        return self._put(pid, "episode", self.cut(title, MAXIMUM_TITLE), more)

    def _put(self, pid: str, kind: str, title: str, more: Document | None = None) -> str:
        """Under another pid where this one is of another title already: then both are shown as they are called."""
        document = {"pid": pid, "type": kind, "title": title, **(more or {})}
        held = self.catalogue.setdefault(pid, document)
        if all(held.get(name) == document.get(name) for name in ("type", "title", "parent_pid")):
            _complete(held, document)
            return pid
        self.remarks[Remark.RETITLED] += 1
        other = derive_pid("retitled", pid, kind, title, str(document.get("parent_pid")))
        self.catalogue.setdefault(other, {**document, "pid": other})
        return other

    def cut(self, text: str, limit: int) -> str:
        if len(text) <= limit:
            return text
        self.remarks[Remark.SHORTENED] += 1
        return text[: limit - 1] + "…"


def _complete(held: Document, document: Document) -> None:
    """Fill in fields that the first programme of this episode lacked."""
    for name in ("image_pid", "warning_text", "position"):
        held.update({name: document[name]} if document.get(name) and not held.get(name) else {})
    if "synopses" in held and not any(held["synopses"].values()):
        held["synopses"] = document["synopses"]


def derive_pid(*parts: str) -> str:
    """The same parts give the same pid. No part has a control character, so none runs into the next."""
    number = int.from_bytes(blake2b("\x1f".join(parts).encode(), digest_size=8).digest())
    digits = []
    for _ in range(_PID_LENGTH):
        number, digit = divmod(number, len(_PID_ALPHABET))
        digits.append(_PID_ALPHABET[digit])
    return "".join(digits)


def _our_pids(programme: Programme, domain: str) -> dict[str, str]:
    """By kind; none where the guide is another's."""
    found = (
        _OURS.fullmatch(number.text) for number in programme.numbers if domain and number.system == domain
    )
    return {match[1]: match[2] for match in found if match and is_pid(match[2])}


def _identity(programme: Programme, *, with_description: bool) -> tuple[str, ...]:
    """Equal for programmes of the same episode; without the description, for the same programme."""
    for system, text in programme.numbers:
        if text.startswith("crid://") or (system == "dd_progid" and text.startswith(("EP", "MV"))):
            return system, text
    number = _number(programme)
    if programme.subtitle or number:
        return programme.title, programme.subtitle, number
    return programme.title, *((programme.description, programme.date) if with_description else ())


def _number(programme: Programme) -> str:
    """Within its series, or as on the screen; "" for none, as where only the dots are written."""
    texts = {number.system: number.text.replace(" ", "") for number in reversed(programme.numbers)}
    found = (texts.get(system, "") for system in ("xmltv_ns", "onscreen"))
    return next((text for text in found if text.strip(".")), "")


def _parent(programme: Programme, ours: Mapping[str, str]) -> tuple[str, str]:
    """The kind and pid of the episode's parent. The pid is "" if the guide has none, the kind "" without a parent.

    In the pipeline's own guides the outermost ancestor counts: its title is shown, and the others are merged.
    """
    for kind in ("brand", "series"):
        if kind in ours:
            return kind, ours[kind]
    belongs = programme.subtitle or (not ours and _number(programme))
    return ("brand", "") if belongs else ("", "")


def _synopses(text: str) -> dict[str, str]:
    length = "short" if len(text) <= _SHORT else "medium" if len(text) <= _MEDIUM else "long"
    return {"short": "", "medium": "", "long": ""} | {length: text}


def _name_services(channels: Iterable[str], domain: str, remarks: Counter[Remark]) -> dict[str, Sid]:
    """The sid of each channel; those whose ids come to the same are told apart by a hash, all of them."""
    wanted = {channel: _plain_sid(channel, domain) for channel in sorted(channels)}
    numbers = Counter(wanted.values())
    clashing = {channel for channel, name in wanted.items() if numbers[name] > 1 or not name}
    remarks[Remark.CHANNEL_RENAMED] += len(clashing)
    return {
        channel: _distinct(channel, name) if channel in clashing else Sid(name)
        for channel, name in wanted.items()
    }


def _plain_sid(channel: str, domain: str) -> str:
    """Letters without accents, and digits; underscores replace all other characters. "" if nothing remains."""
    if domain and channel.endswith(f".{domain}"):
        channel = channel.removesuffix(f".{domain}")
        ours = channel.replace("-", "_")
        if re.fullmatch("[0-9a-z_]{1,64}", ours) and "_" not in channel:
            return ours
    letters = unicodedata.normalize("NFKD", channel).lower().encode("ascii", "ignore").decode()
    return re.sub("[^0-9a-z]+", "_", letters).strip("_")[:_LONGEST_SID]


def _distinct(channel: str, name: str) -> Sid:
    suffix = derive_pid("channel", channel)[:8]
    return Sid(f"{name[: _LONGEST_SID - 9]}_{suffix}" if name else f"channel_{suffix}")


def _days(
    sid: Sid, shown: list[_Shown], calendar: BroadcastCalendar, remarks: Counter[Remark]
) -> Iterable[tuple[date, list[Document]]]:
    """Every broadcast day in which something begins, with its broadcasts."""
    days: defaultdict[date, list[_Shown]] = defaultdict(list)
    for showing in _ended(shown, remarks):
        days[_day_of(sid, showing.start, calendar)].append(showing)
    for day in sorted(days):
        yield day, _broadcasts(sid, day, days[day], remarks)


def _ended(shown: list[_Shown], remarks: Counter[Remark]) -> Iterable[_Shown]:
    """In order, each with an end; what lacks one ends when the next begins, if that is soon."""
    shown.sort(key=lambda s: (s.start, s.stop or s.start, s.what, s.broadcast_pid, s.episode_pid))
    starts = [showing.start for showing in shown]
    for showing in shown:
        if showing.stop is not None:
            yield showing
            continue
        following = bisect_right(starts, showing.start)
        if following < len(starts) and starts[following] - showing.start <= _LONGEST_GUESS:
            remarks[Remark.NO_STOP] += 1
            yield showing._replace(stop=starts[following])
        else:
            remarks[Remark.NO_END] += 1


def _day_of(sid: Sid, start: datetime, calendar: BroadcastCalendar) -> date:
    """The day in whose window it begins; of two, which radio has, the later."""
    today = start.astimezone(calendar.zone).date()
    if calendar.window(ScheduleKey(sid, today)).contains(start):
        return today
    return today - timedelta(days=1)


def _broadcasts(sid: Sid, day: date, shown: Sequence[_Shown], remarks: Counter[Remark]) -> list[Document]:
    found: dict[str, Document] = {}
    times_shown: Counter[str] = Counter()
    seen: set[tuple[datetime, datetime | None, str]] = set()
    for showing in shown:
        times_shown[showing.what] += 1
        number = str(times_shown[showing.what])
        pid = showing.broadcast_pid or derive_pid("broadcast", sid, day.isoformat(), showing.what, number)
        slot = (showing.start, showing.stop, showing.broadcast_pid or showing.episode_pid)
        if slot in seen or pid in found:
            remarks[Remark.REPEATED] += 1
            times_shown[showing.what] -= 1
        elif len(found) == MAXIMUM_BROADCASTS:
            remarks[Remark.TOO_MANY] += 1
        else:
            seen.add(slot)
            found[pid] = _broadcast(pid, showing)
    return sorted(found.values(), key=lambda b: (b["start"], b["broadcast_pid"]))


def _broadcast(pid: str, showing: _Shown) -> Document:
    if showing.stop is None:
        raise ValueError("a showing without an end")
    return {
        "broadcast_pid": pid,
        "episode_pid": showing.episode_pid,
        "version_pid": showing.version_pid,
        "start": _instant(showing.start),
        "end": _instant(showing.stop),
        "is_repeat": showing.is_repeat,
        "is_blanked": showing.is_blanked,
        "is_signed": showing.is_signed,
        "is_audio_described": showing.is_audio_described,
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
