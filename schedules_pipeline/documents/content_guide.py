"""The answers of a DVB-I content guide besides its schedules: ETSI TS 103 770 V1.2.1, clauses 6.5.3, 6.6 and 6.7.

Belongs here: now and next with its groups, one programme, and further episodes, as TV-Anytime documents. Does not
belong here: which broadcasts these are, and the elements that a schedule has too
(:mod:`~schedules_pipeline.documents.tv_anytime`).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from schedules_pipeline.documents.tv_anytime import (
    Rendition,
    add,
    add_description,
    add_programme,
    add_related,
    add_schedule,
    begin_document,
    programmes_of,
    render_document,
)
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

NOW: Final = "crid://dvb.org/metadata/schedules/now-next/now"
LATER: Final = "crid://dvb.org/metadata/schedules/now-next/later"
EARLIER: Final = "crid://dvb.org/metadata/schedules/now-next/earlier"

_FIRST_PAGE: Final = "urn:fvc:metadata:cs:HowRelatedCS:2015-12:pagination:first"
_LAST_PAGE: Final = "urn:fvc:metadata:cs:HowRelatedCS:2015-12:pagination:last"
_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
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
    description = begin_document(rendition.naming)
    table = add(description, "ProgramInformationTable")
    memberships = _memberships(services, rendition)
    for crid, broadcast in programmes_of([one.guide for one in services], rendition.naming).items():
        programme = add_programme(table, crid)
        add_description(programme, broadcast, rendition, _IN_SCHEDULES)
        for group, index in memberships[crid]:
            _add_membership(programme, group, index)
    groups = add(description, "GroupInformationTable")
    for group in (EARLIER, NOW, LATER):
        if most := max((len(one.by_group.get(group, ())) for one in services), default=0):
            add(_add_group(groups, group, most), "BasicDescription")
    _add_locations(description, [one.guide for one in services], rendition)
    return render_document(description)


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
    description = begin_document(rendition.naming)
    table = add(description, "ProgramInformationTable")
    programme = add_programme(table, rendition.naming.programme_crid(broadcast))
    add_description(programme, broadcast, rendition, _EVERY_SYNOPSIS)
    if parent := broadcast.series or broadcast.brand:
        add(programme, "EpisodeOf", crid=rendition.naming.crid(parent.pid))
    add(description, "ProgramLocationTable")
    return render_document(description)


def render_more_episodes(guide: ServiceGuide, group: str, address: str, rendition: Rendition) -> bytes:
    """The episodes that a service shows of a group, with its schedule of them. ``group``: the CRID of a brand or a
    series. ``address``: of this answer, which is the first and the last page.
    """
    description = begin_document(rendition.naming)
    table = add(description, "ProgramInformationTable")
    programmes = programmes_of([guide], rendition.naming)
    for index, (crid, broadcast) in enumerate(programmes.items(), 1):
        programme = add_programme(table, crid)
        add_description(programme, broadcast, rendition, ())
        _add_membership(programme, group, index)
    groups = add(description, "GroupInformationTable")
    described = add(_add_group(groups, group, len(programmes)), "BasicDescription")
    for page in (_FIRST_PAGE, _LAST_PAGE):
        add_related(described, page, address)
    _add_locations(description, [guide], rendition)
    return render_document(description)


def _add_group(table: etree._Element, crid: str, items: int) -> etree._Element:
    group = add(table, "GroupInformation", groupId=crid, ordered="true", numOfItems=str(items))
    add(group, "GroupType", value="otherCollection").set(_XSI_TYPE, "ProgramGroupTypeType")
    return group


def _add_membership(programme: etree._Element, group: str, index: int) -> None:
    add(programme, "MemberOf", crid=group, index=str(index)).set(_XSI_TYPE, "MemberOfType")


def _add_locations(
    description: etree._Element, guides: Collection[ServiceGuide], rendition: Rendition
) -> None:
    locations = add(description, "ProgramLocationTable")
    for guide in guides:
        add_schedule(locations, guide, rendition)
