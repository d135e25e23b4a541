"""The formats in which schedules are offered: how a request names each, and how guides become its bytes.

Does not belong here: choosing a format for a request (``delivery.negotiation``).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from schedules_pipeline.documents import catalogue_schedule, guide_json
from schedules_pipeline.documents.tv_anytime import GuideNaming, Rendition, ScheduleTables
from schedules_pipeline.documents.xmltv import END, channel_id, render_xmltv_programmes, render_xmltv_start
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.service_guide import ServiceGuide

_JSON_TYPE, _XML_TYPE = "application/json", "application/xml"


class Placed(Protocol):
    """A guide, or the window of one."""

    @property
    def sid(self) -> Sid: ...

    @property
    def window(self) -> Interval: ...


_Placed = TypeVar("_Placed", bound=Placed)


@dataclass(frozen=True, slots=True)
class GuidePieces:
    """How a document is made guide by guide. ``start``: always the same, or made of the services with their names and
    of the latest publication. ``between`` and ``end``: always the same. ``order``: of the guides, so that equal ones
    give equal bytes; None for the order in which they were asked for.
    """

    start: bytes | Callable[[Sequence[tuple[Sid, str]], datetime | None], bytes]
    guide: Callable[[ServiceGuide], bytes]
    end: bytes
    between: bytes = b""
    order: Callable[[Placed], Any] | None = None

    def ordered(self, guides: Iterable[_Placed]) -> list[_Placed]:
        return list(guides) if self.order is None else sorted(guides, key=self.order)

    def render(self, guides: Sequence[ServiceGuide]) -> bytes:
        """The whole document. Raises ValueError if the format does not allow these guides in one document."""
        ordered = self.ordered(guides)
        return b"".join((self._started(ordered), self.between.join(map(self.guide, ordered)), self.end))

    def _started(self, guides: Sequence[ServiceGuide]) -> bytes:
        if isinstance(self.start, bytes):
            return self.start
        published = [guide.published_at for guide in guides if guide.published_at is not None]
        return self.start([(guide.sid, guide.name) for guide in guides], max(published, default=None))


@dataclass(frozen=True, slots=True)
class GuideFormat:
    """``name``: as it stands behind the first full stop of a path. ``media_type``: of the answer.
    ``requested_as``: the media types that select the format in ``Accept``; no two formats share one.
    ``revision``: another text whenever the same guides give other bytes.
    ``is_of_utc_days``: the format only has UTC days, and lists a broadcast in every day that it overlaps.
    ``pieces``: how ``render`` joins a document; or ``tables``, if no guide of several can be rendered alone.
    """

    name: str
    media_type: str
    requested_as: tuple[str, ...]
    render: Callable[[Sequence[ServiceGuide]], bytes]
    revision: str
    is_of_utc_days: bool = False
    pieces: GuidePieces | None = None
    tables: ScheduleTables | None = None


@dataclass(frozen=True, slots=True)
class GuidePolicy:
    """The names and addresses that guides are written with. ``image_url_template``: the address of an image, with
    ``{image_pid}`` in it; "" leaves images out.
    """

    xmltv_domain: str
    naming: GuideNaming
    image_url_template: str = ""


_JSON = GuidePieces(guide_json.START, guide_json.render_guide, guide_json.END, guide_json.BETWEEN)
_CATALOGUE = GuidePieces(
    catalogue_schedule.START,
    catalogue_schedule.render_catalogue_day,
    catalogue_schedule.END,
    order=attrgetter("sid", "window.start"),
)

JSON_FORMAT = GuideFormat(
    "json", _JSON_TYPE, (_JSON_TYPE, "application/vnd.schedules.v1+json"), _JSON.render, "1", pieces=_JSON
)


def _by_channel(guide: Placed) -> tuple[str, datetime]:
    return channel_id(guide.sid, ""), guide.window.start


def television_format(rendition: Rendition) -> GuideFormat:
    """The schedules that televisions ask for. It has no name, because nobody chooses it."""
    tables = ScheduleTables(rendition)
    return GuideFormat("televisions", _XML_TYPE, (), tables.render, f"3|{rendition}", tables=tables)


def guide_formats(policy: GuidePolicy) -> tuple[GuideFormat, ...]:
    """Every format, the preferred one first."""
    images = policy.image_url_template
    pieces = GuidePieces(
        partial(render_xmltv_start, domain=policy.xmltv_domain),
        partial(render_xmltv_programmes, domain=policy.xmltv_domain, image_url_template=images),
        END,
        order=_by_channel,
    )
    xmltv = GuideFormat(
        "xmltv",
        _XML_TYPE,
        ("application/vnd.schedules.xmltv+xml", _XML_TYPE, "text/xml"),
        pieces.render,
        f"3|{policy.xmltv_domain}|{images}",
        pieces=pieces,
    )
    tables = ScheduleTables(Rendition(policy.naming, images))
    tv_anytime = GuideFormat(
        "tva",
        _XML_TYPE,
        ("application/vnd.schedules.tva+xml",),
        tables.render,
        f"3|{policy.naming}|{images}",
        tables=tables,
    )
    catalogue = GuideFormat(
        "catalogue",
        _XML_TYPE,
        ("application/vnd.schedules.catalogue+xml",),
        _CATALOGUE.render,
        "1",
        is_of_utc_days=True,
        pieces=_CATALOGUE,
    )
    return (JSON_FORMAT, xmltv, tv_anytime, catalogue)
