"""The schedule of a DVB-I content guide, a TV-Anytime document: ETSI TS 103 770 V1.2.1, clauses 6.5.4 and 6.10.

Belongs here: the mapping of fields to elements of ``urn:tva:metadata:2024``. Does not belong here: cutting a guide
(:mod:`~schedules_pipeline.domain.day_cut`), the other answers of a content guide
(:mod:`~schedules_pipeline.documents.content_guide`), and the service list
(:mod:`~schedules_pipeline.documents.service_list`).

DVB-I allows less than TV-Anytime. Fields without an element are omitted; ``docs/reference/formats.md`` lists them.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from schedules_pipeline.documents.image_url import render_image_url
from schedules_pipeline.documents.xml_text import element, escaped, quoted
from schedules_pipeline.documents.xmltv import BLANKED_TITLE, UNKNOWN_TITLE, written
from schedules_pipeline.domain.catalogue import NO_SYNOPSES
from schedules_pipeline.domain.identifiers import Pid, Sid, is_pid, is_sid
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

MEDIA_TYPE = "application/xml"
NAMESPACE = "urn:tva:metadata:2024"

MAXIMUM_TITLE = 80
MAXIMUM_SYNOPSES = {"short": 90, "medium": 250, "long": 1_200}
"""Characters, by table 42 of the standard. A schedule has the first two lengths, and no long synopsis."""

BROADCAST_PID = "broadcast-pid"
"""The type of the identifier that holds the broadcast pid of an event."""

_PLACEHOLDERS_LANGUAGE = "en"
_STILL_IMAGE = "urn:tva:metadata:cs:HowRelatedCS:2012:19"
_IMAGE_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
"""Table 59 allows images of these two types, and requires the type."""
_DECLARATION = "<?xml version='1.0' encoding='UTF-8'?>\n"
BETWEEN = b"</ProgramInformationTable><ProgramLocationTable>"
END = b"</ProgramLocationTable></ProgramDescription></TVAMain>"
_AUDIO_DESCRIPTION = (
    "<AVAttributes><AccessibilityAttributes><AudioDescriptionAttributes><AudioAttributes/>"
    "</AudioDescriptionAttributes></AccessibilityAttributes></AVAttributes>"
)
_REPEATED = '<FirstShowing value="false"/>'
_UNPUBLISHED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class GuideNaming:
    """Whose names are given. ``authority``: a domain name that the broadcaster holds, in lower case; ``tag_date``:
    a day on which it did, ``YYYY[-MM[-DD]]``, the same for ever (RFC 4151). ``language``: that of the texts, BCP 47.
    """

    authority: str
    tag_date: str
    language: str

    def service_id(self, sid: Sid) -> str:
        """A tag URI, as the ``UniqueIdentifier`` of the service in a DVB-I service list has to be."""
        return f"tag:{self.authority},{self.tag_date}:{sid}"

    def sid_of(self, service_id: str) -> Sid | None:
        """The service that :meth:`service_id` names so; None for any other text."""
        sid = service_id.removeprefix(f"tag:{self.authority},{self.tag_date}:")
        return Sid(sid) if is_sid(sid) and self.service_id(Sid(sid)) == service_id else None

    def crid(self, pid: Pid) -> str:
        return f"crid://{self.authority}/{pid}"

    def pid_of(self, crid: str) -> Pid | None:
        """The episode that :meth:`crid` names so; None for any other text."""
        pid = crid.removeprefix(f"crid://{self.authority}/")
        return Pid(pid) if is_pid(pid) and self.crid(Pid(pid)) == crid else None

    def programme_crid(self, broadcast: Broadcast) -> str:
        """A broadcast without an episode has a CRID of its own, below ``broadcast/``."""
        if broadcast.episode_pid is None:
            return f"crid://{self.authority}/broadcast/{broadcast.broadcast_pid}"
        return self.crid(broadcast.episode_pid)


@dataclass(frozen=True, slots=True)
class Rendition:
    """How programmes are written. ``is_for_televisions``: events do not carry their broadcast pid, because DVB-I
    profiles its attribute out (``OtherIdentifier@organization``); and a service that shows nothing has an empty
    schedule.
    """

    naming: GuideNaming
    image_url_template: str = ""
    is_for_televisions: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleTables:
    """The parts of the document: ``start``, programmes of each guide, ``BETWEEN``, the schedule of each guide, ``END``.

    A programme is in the document once, and each guide may be rendered by itself if it is told which programmes others
    have.
    """

    rendition: Rendition

    @property
    def start(self) -> bytes:
        head = element("TVAMain", xmlns=NAMESPACE, xml__lang=self.rendition.naming.language)
        return (
            f"{_DECLARATION}{head.removesuffix('/>')}><ProgramDescription><ProgramInformationTable>".encode()
        )

    def ids(self, guide: ServiceGuide) -> list[str]:
        """The CRIDs of its programmes."""
        return list(programmes_of([guide], self.rendition.naming))

    def programmes(self, guide: ServiceGuide, elsewhere: Collection[str] = ()) -> bytes:
        """Without those with the CRIDs ``elsewhere``."""
        found = programmes_of([guide], self.rendition.naming).items()
        return "".join(
            _programme(crid, broadcast, self.rendition) for crid, broadcast in found if crid not in elsewhere
        ).encode()

    def schedule(self, guide: ServiceGuide) -> bytes:
        """For partners nothing if the service shows nothing."""
        if guide.broadcasts or self.rendition.is_for_televisions:
            return schedule_of(guide, self.rendition).encode()
        return b""

    def render(self, guides: Sequence[ServiceGuide]) -> bytes:
        """The whole document: the same bytes for these guides in any order. Raises ValueError if a service is given
        twice.
        """
        ordered = sorted(guides, key=lambda guide: guide.sid)
        _reject_repeats(ordered)
        programmes, known = [], set[str]()
        for guide in sorted(ordered, key=lambda guide: guide.published_at or _UNPUBLISHED, reverse=True):
            programmes.append(self.programmes(guide, known))
            known.update(self.ids(guide))
        return b"".join((self.start, *programmes, BETWEEN, *map(self.schedule, ordered), END))


def render_tv_anytime(
    guides: Sequence[ServiceGuide],
    naming: GuideNaming,
    *,
    image_url_template: str = "",
    is_for_televisions: bool = False,
) -> bytes:
    """The programmes, each once, as the guide that was published last has it, and a schedule of every service."""
    return ScheduleTables(Rendition(naming, image_url_template, is_for_televisions)).render(guides)


def render_document(naming: GuideNaming, *tables: str) -> bytes:
    """The whole document with these tables in its ``ProgramDescription``."""
    description = element("ProgramDescription", *tables)
    return (
        _DECLARATION + element("TVAMain", description, xmlns=NAMESPACE, xml__lang=naming.language)
    ).encode()


def _reject_repeats(ordered: Sequence[ServiceGuide]) -> None:
    for one, other in pairwise(ordered):
        if one.sid == other.sid:
            raise ValueError(f"service {one.sid} is given twice: cut its guide once, over the whole time")


def programmes_of(guides: Sequence[ServiceGuide], naming: GuideNaming) -> dict[str, Broadcast]:
    """By CRID, a broadcast of each programme: where they differ, that of the guide which was published last."""
    oldest_first = sorted(guides, key=lambda guide: guide.published_at or _UNPUBLISHED)
    return {
        naming.programme_crid(broadcast): broadcast
        for guide in oldest_first
        for broadcast in guide.broadcasts
    }


def _programme(crid: str, broadcast: Broadcast, rendition: Rendition) -> str:
    described = description_of(broadcast, rendition, ("short", "medium"))
    parent = broadcast.series or broadcast.brand
    above = element("EpisodeOf", crid=rendition.naming.crid(parent.pid)) if parent else ""
    return programme_information(crid, described, above)


def programme_information(crid: str, *content: str) -> str:
    return element("ProgramInformation", *content, programId=crid)


def description_of(broadcast: Broadcast, rendition: Rendition, lengths: Collection[str]) -> str:
    """Titles, the synopses of these lengths, and the image."""
    synopses = (
        element("Synopsis", escaped(text), length=length)
        for length, text in _synopses(broadcast)
        if length in lengths
    )
    return element("BasicDescription", _titles(broadcast), *synopses, _image(broadcast, rendition))


def _titles(broadcast: Broadcast) -> str:
    """DVB-I takes no programme without a title: one that stands for it is in English, and says so."""
    title, subtitle = written(broadcast.title), written(broadcast.subtitle)
    if not title:
        return element("Title", _placeholder(broadcast), type="main", xml__lang=_PLACEHOLDERS_LANGUAGE)
    main = element("Title", escaped(fit(title, MAXIMUM_TITLE)), type="main")
    return main + (
        element("Title", escaped(fit(subtitle, MAXIMUM_TITLE)), type="secondary") if subtitle else ""
    )


def _placeholder(broadcast: Broadcast) -> str:
    return BLANKED_TITLE if broadcast.is_blanked else UNKNOWN_TITLE


def _synopses(broadcast: Broadcast) -> Iterator[tuple[str, str]]:
    """The medium one must be there, and have a text: the reference client of DVB-I reads no document in which one is
    empty. A shorter text stands in for it sooner than one that must be cut, and last the title.
    """
    synopses = broadcast.episode.synopses if broadcast.episode else NO_SYNOPSES
    short, medium, long = map(written, synopses.texts)
    if short:
        yield "short", fit(short, MAXIMUM_SYNOPSES["short"])
    instead = written(broadcast.subtitle) or written(broadcast.title) or _placeholder(broadcast)
    yield "medium", fit(medium or short or long or instead, MAXIMUM_SYNOPSES["medium"])
    if long:
        yield "long", fit(long, MAXIMUM_SYNOPSES["long"])


def fit(text: str, maximum: int) -> str:
    """The text if it is no longer than that; else its first words, and an ellipsis that counts too."""
    if len(text) <= maximum:
        return text
    words, _, _ = text[:maximum].rpartition(" ")
    return f"{words or text[: maximum - 1]}\N{HORIZONTAL ELLIPSIS}"


def _image(broadcast: Broadcast, rendition: Rendition) -> str:
    image_pid = broadcast.episode.image_pid if broadcast.episode else ""
    url = render_image_url(rendition.image_url_template, image_pid)
    if (kind := _IMAGE_TYPES.get(PurePosixPath(urlsplit(url).path).suffix.lower())) is None:
        return ""
    return related_material(_STILL_IMAGE, url, contentType=kind)


def related_material(how: str, url: str, **attributes: str) -> str:
    """``how``: a term of ``HowRelatedCS``."""
    locator = element("MediaLocator", element("MediaUri", escaped(url), **attributes))
    return element("RelatedMaterial", element("HowRelated", href=how), locator)


def schedule_of(guide: ServiceGuide, rendition: Rendition) -> str:
    """DVB-I wants every event whole within the schedule: where one straddles the window's edge, it is wider."""
    start = min([guide.window.start, *(broadcast.start for broadcast in guide.broadcasts)])
    end = max([guide.window.end, *(broadcast.end for broadcast in guide.broadcasts)])
    events = (_event(broadcast, rendition) for broadcast in guide.broadcasts)
    service_id = rendition.naming.service_id(guide.sid)
    return element(
        "Schedule", *events, serviceIDRef=service_id, start=render_time(start), end=render_time(end)
    )


def _event(broadcast: Broadcast, rendition: Rendition) -> str:
    start, length = render_time(broadcast.start), render_duration(broadcast.end - broadcast.start)
    return (
        f'<ScheduleEvent><Program crid="{quoted(rendition.naming.programme_crid(broadcast))}"/>'
        f"{_instance(broadcast, rendition)}<PublishedStartTime>{start}</PublishedStartTime>"
        f"<PublishedDuration>{length}</PublishedDuration>"
        f"{_REPEATED if broadcast.is_repeat else ''}</ScheduleEvent>"
    )


def _instance(broadcast: Broadcast, rendition: Rendition) -> str:
    """Of audio description that there is one, and no more: neither its coding nor its language is known to us."""
    described = _AUDIO_DESCRIPTION if broadcast.is_audio_described else ""
    if rendition.is_for_televisions:
        return element("InstanceDescription", described) if described else ""
    authority = rendition.naming.authority
    other = element("OtherIdentifier", broadcast.broadcast_pid, type=BROADCAST_PID, organization=authority)
    return element("InstanceDescription", described, other)


def render_time(at: datetime) -> str:
    """In UTC, to the second."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def render_duration(length: timedelta) -> str:
    """In hours, minutes and seconds, without zeros: a day of 25 hours is ``PT25H``."""
    minutes, seconds = divmod(length // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    return "PT" + ("".join(f"{number}{unit}" for number, unit in parts if number) or "0S")
