"""The answers of a DVB-I content guide besides its schedules: ETSI TS 103 770 V1.2.1, clauses 6.5.3, 6.6 and 6.7.

Belongs here: now and next with its groups, one programme, and further episodes, as TV-Anytime documents. Does not
belong here: which broadcasts these are, and the elements that a schedule has too
(:mod:`~schedules_pipeline.documents.tv_anytime`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schedules_pipeline.documents.tv_anytime import (
    Rendition,
    description_of,
    programme_information,
    programmes_of,
    related_material,
    render_document,
    schedule_of,
)
from schedules_pipeline.documents.xml_text import element
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

NOW: Final = "crid://dvb.org/metadata/schedules/now-next/now"
LATER: Final = "crid://dvb.org/metadata/schedules/now-next/later"
EARLIER: Final = "crid://dvb.org/metadata/schedules/now-next/earlier"

_FIRST_PAGE: Final = "urn:fvc:metadata:cs:HowRelatedCS:2015-12:pagination:first"
_LAST_PAGE: Final = "urn:fvc:metadata:cs:HowRelatedCS:2015-12:pagination:last"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_EVERY_SYNOPSIS: Final = ("short", "medium", "long")
_IN_SCHEDULES: Final = ("short", "medium")


@dataclass(frozen=True, slots=True)
class Around:
    """The broadcasts of a service around an instant, by group: :data:`EARLIER`, :data:`NOW`, :data:`LATER`; those of
    each in order of start. A group without broadcasts is absent.
    """

    guide: ServiceGuide
    by_group: Mapping[str, Sequence[Broadcast]]


def render_now_next(services: Sequence[Around], rendition: Rendition) -> bytes:
    """Every service's broadcasts, and the groups that say which are on now.

    ``numOfItems`` is that of one service. Members are numbered across the services, because a number may occur once.
    """
    memberships = _memberships(services, rendition)
    guides = [one.guide for one in services]
    programmes = (
        programme_information(
            crid,
            description_of(broadcast, rendition, _IN_SCHEDULES),
            *(_membership(group, index) for group, index in memberships[crid]),
        )
        for crid, broadcast in programmes_of(guides, rendition.naming).items()
    )
    groups = (
        _group(group, most, element("BasicDescription"))
        for group in (EARLIER, NOW, LATER)
        if (most := max((len(one.by_group.get(group, ())) for one in services), default=0))
    )
    return _document(rendition, programmes, groups, guides)


def _memberships(services: Sequence[Around], rendition: Rendition) -> dict[str, list[tuple[str, int]]]:
    """By CRID, the groups of each programme with its place in them."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    for one in services:
        for group, broadcasts in one.by_group.items():
            for broadcast in broadcasts:
                sizes[group] += 1
                found[rendition.naming.programme_crid(broadcast)].append((group, sizes[group]))
    return found


def render_programme(broadcast: Broadcast, rendition: Rendition) -> bytes:
    """A programme with all its texts. It has no location: DVB-I allows there only where it can be had on demand."""
    crid = rendition.naming.programme_crid(broadcast)
    described = description_of(broadcast, rendition, _EVERY_SYNOPSIS)
    parent = broadcast.series or broadcast.brand
    above = element("EpisodeOf", crid=rendition.naming.crid(parent.pid)) if parent else ""
    programmes = element("ProgramInformationTable", programme_information(crid, described, above))
    return render_document(rendition.naming, programmes, element("ProgramLocationTable"))


def render_more_episodes(guide: ServiceGuide, group: str, address: str, rendition: Rendition) -> bytes:
    """The episodes that a service shows of a group, with its schedule of them. ``group``: the CRID of a brand or a
    series. ``address``: of this answer, which is the first and the last page.
    """
    found = programmes_of([guide], rendition.naming)
    programmes = (
        programme_information(crid, description_of(broadcast, rendition, ()), _membership(group, index))
        for index, (crid, broadcast) in enumerate(found.items(), 1)
    )
    pages = (related_material(page, address) for page in (_FIRST_PAGE, _LAST_PAGE))
    groups = [_group(group, len(found), element("BasicDescription", *pages))]
    return _document(rendition, programmes, groups, [guide])


def _document(
    rendition: Rendition, programmes: Iterable[str], groups: Iterable[str], guides: Iterable[ServiceGuide]
) -> bytes:
    return render_document(
        rendition.naming,
        element("ProgramInformationTable", *programmes),
        element("GroupInformationTable", *groups),
        element("ProgramLocationTable", *(schedule_of(guide, rendition) for guide in guides)),
    )


def _group(crid: str, items: int, described: str) -> str:
    kind = _typed("GroupType", "ProgramGroupTypeType", value="otherCollection")
    return element("GroupInformation", kind, described, groupId=crid, ordered="true", numOfItems=str(items))


def _membership(group: str, index: int) -> str:
    return _typed("MemberOf", "MemberOfType", crid=group, index=str(index))


def _typed(name: str, kind: str, **attributes: str) -> str:
    """An element whose type in the schema is one of several."""
    return element(name, xmlns__xsi=_XSI, **attributes, xsi__type=kind)
