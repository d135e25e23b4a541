"""The formats in which schedules are offered: how a request names each, and how guides become its bytes.

Does not belong here: choosing a format for a request (``delivery.negotiation``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from schedules_pipeline.documents.catalogue_schedule import render_catalogue_schedules
from schedules_pipeline.documents.guide_json import render_guides
from schedules_pipeline.documents.tv_anytime import GuideNaming, Rendition, render_tv_anytime
from schedules_pipeline.documents.xmltv import END, render_xmltv, render_xmltv_programmes, render_xmltv_start
from schedules_pipeline.domain.service_guide import ServiceGuide

_JSON_TYPE, _XML_TYPE = "application/json", "application/xml"


@dataclass(frozen=True, slots=True)
class GuidePieces:
    """A format whose documents can be rendered service by service: ``start`` needs all guides, but not their
    broadcasts; ``service`` is of one of them; ``end`` is always the same.
    """

    start: Callable[[Sequence[ServiceGuide]], bytes]
    service: Callable[[ServiceGuide], bytes]
    end: bytes


@dataclass(frozen=True, slots=True)
class GuideFormat:
    """``name``: as it stands behind the first full stop of a path. ``media_type``: of the answer.
    ``requested_as``: the media types that select the format in ``Accept``; no two formats share one.
    ``revision``: another text whenever the same guides give other bytes.
    ``is_of_utc_days``: the format only has UTC days, and lists a broadcast in every day that it overlaps.
    ``pieces``: None if a document can only be rendered as a whole.
    """

    name: str
    media_type: str
    requested_as: tuple[str, ...]
    render: Callable[[Sequence[ServiceGuide]], bytes]
    revision: str
    is_of_utc_days: bool = False
    pieces: GuidePieces | None = None


@dataclass(frozen=True, slots=True)
class GuidePolicy:
    """The names and addresses that guides are written with. ``image_url_template``: the address of an image, with
    ``{image_pid}`` in it; "" leaves images out.
    """

    xmltv_domain: str
    naming: GuideNaming
    image_url_template: str = ""


JSON_FORMAT = GuideFormat(
    "json", _JSON_TYPE, (_JSON_TYPE, "application/vnd.schedules.v1+json"), render_guides, "1"
)


def television_format(rendition: Rendition) -> GuideFormat:
    """The schedules that televisions ask for. It has no name, because nobody chooses it."""
    render = partial(
        render_tv_anytime,
        naming=rendition.naming,
        image_url_template=rendition.image_url_template,
        is_for_televisions=rendition.is_for_televisions,
    )
    return GuideFormat("televisions", _XML_TYPE, (), render, f"2|{rendition}")


def guide_formats(policy: GuidePolicy) -> tuple[GuideFormat, ...]:
    """Every format, the preferred one first."""
    images = policy.image_url_template
    xmltv = GuideFormat(
        "xmltv",
        _XML_TYPE,
        ("application/vnd.schedules.xmltv+xml", _XML_TYPE, "text/xml"),
        partial(render_xmltv, domain=policy.xmltv_domain, image_url_template=images),
        f"2|{policy.xmltv_domain}|{images}",
        pieces=GuidePieces(
            partial(render_xmltv_start, domain=policy.xmltv_domain),
            partial(render_xmltv_programmes, domain=policy.xmltv_domain, image_url_template=images),
            END,
        ),
    )
    tv_anytime = GuideFormat(
        "tva",
        _XML_TYPE,
        ("application/vnd.schedules.tva+xml",),
        partial(render_tv_anytime, naming=policy.naming, image_url_template=images),
        f"2|{policy.naming}|{images}",
    )
    catalogue = GuideFormat(
        "catalogue",
        _XML_TYPE,
        ("application/vnd.schedules.catalogue+xml",),
        render_catalogue_schedules,
        "1",
        is_of_utc_days=True,
    )
    return (JSON_FORMAT, xmltv, tv_anytime, catalogue)
