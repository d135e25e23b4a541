"""The rules of DVB-I for the schedule of a content guide: ETSI TS 103 770 V1.2.1, for the elements that the pipeline
writes.

Belongs here: the rules, reworded, for every document. They also hold without the XSD, and the XSD cannot express some
of them. Does not belong here: where each field of a broadcast goes (``test_tv_anytime``).
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

from lxml import etree

from schedules_pipeline.documents.tv_anytime import MAXIMUM_SYNOPSES, MAXIMUM_TITLE, NAMESPACE

_CHILDREN = {
    "TVAMain": "ProgramDescription ",
    "ProgramDescription": "ProgramInformationTable ProgramLocationTable ",
    "ProgramInformationTable": "(ProgramInformation )*",
    "ProgramInformation": "BasicDescription (EpisodeOf )?",
    "BasicDescription": "(Title ){1,2}(Synopsis ){1,2}(RelatedMaterial )?",
    "RelatedMaterial": "HowRelated MediaLocator ",
    "MediaLocator": "MediaUri ",
    "ProgramLocationTable": "(Schedule )*",
    "Schedule": "(ScheduleEvent )+",
    "ScheduleEvent": "Program InstanceDescription PublishedStartTime PublishedDuration (FirstShowing )?",
    "InstanceDescription": "(AVAttributes )?OtherIdentifier ",
    "AVAttributes": "AccessibilityAttributes ",
    "AccessibilityAttributes": "AudioDescriptionAttributes ",
    "AudioDescriptionAttributes": "AudioAttributes ",
}
"""In this order, and no others; an element that is not here has none."""

_CRID = r"crid://[a-z0-9.-]+/[a-z0-9/]+"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_ATTRIBUTES = {
    "TVAMain": {"xml:lang": r"[A-Za-z0-9-]+"},
    "ProgramInformation": {"programId": _CRID},
    "Title": {"type": "main|secondary"},
    "Synopsis": {"length": "short|medium"},
    "HowRelated": {"href": "urn:tva:metadata:cs:HowRelatedCS:2012:19"},
    "MediaUri": {"contentType": "image/(jpeg|png)"},
    "EpisodeOf": {"crid": _CRID},
    "Schedule": {
        "serviceIDRef": r"tag:[a-z0-9.-]+,\d{4}(-\d\d){0,2}:[0-9a-z_]+",
        "start": _TIME,
        "end": _TIME,
    },
    "Program": {"crid": _CRID},
    "OtherIdentifier": {"type": "broadcast-pid", "organization": r"[a-z0-9.-]+"},
    "FirstShowing": {"value": "true|false"},
}
_OPTIONAL = {("Title", "xml:lang")}
_XML = "{http://www.w3.org/XML/1998/namespace}"
_TEXTS = {
    "Title": "(?s:.+)",
    "Synopsis": "(?s:.+)",
    "MediaUri": r"https?://\S+",
    "PublishedStartTime": _TIME,
    "PublishedDuration": r"PT(\d+H)?(\d+M)?(\d+S)?(?<!PT)",
    "OtherIdentifier": "[0-9a-z]+",
}
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")


def find_faults(document: bytes) -> list[str]:
    """Each rule that the document breaks, by the element that does; none where it is as DVB-I wants it.

    Rules between elements are checked only if each element is right on its own.
    """
    root = etree.fromstring(document)
    rules = (_lengths, _identities, _references, _times)
    return [*_elements(root)] or [*chain.from_iterable(rule(root) for rule in rules)]


def events(schedule: etree._Element) -> list[tuple[datetime, datetime]]:
    """When each event of a schedule begins and ends."""
    starts = _all(schedule, "PublishedStartTime")
    return [(_instant(start.text), _instant(start.text) + _length(start)) for start in starts]


def _elements(root: etree._Element) -> Iterator[str]:
    for element in root.iter():
        name = etree.QName(element).localname
        if etree.QName(element).namespace != NAMESPACE:
            yield f"{name}: another namespace"
        children = "".join(f"{etree.QName(child).localname} " for child in element)
        if not re.fullmatch(_CHILDREN.get(name, ""), children):
            yield f"{name}: has {children or 'no children'}"
        if not re.fullmatch(_TEXTS.get(name, ""), element.text or ""):
            yield f"{name}: says {element.text!r}"
        yield from _attributes(name, element)


def _attributes(name: str, element: etree._Element) -> Iterator[str]:
    wanted = _ATTRIBUTES.get(name, {})
    given = {str(key).replace(_XML, "xml:"): str(value) for key, value in element.attrib.items()}
    for key in wanted.keys() | given.keys():
        if (name, key) not in _OPTIONAL and not re.fullmatch(wanted.get(key, "(?!)"), given.get(key, "")):
            yield f"{name}: {key} is {given.get(key)!r}"


def _lengths(root: etree._Element) -> Iterator[str]:
    """One title and one synopsis of a kind, none of them too long; the main title and the medium synopsis must be."""
    for description in _all(root, "BasicDescription"):
        titles = [(title.get("type"), len(title.text or "")) for title in _all(description, "Title")]
        synopses = [
            (synopsis.get("length"), len(synopsis.text or "")) for synopsis in _all(description, "Synopsis")
        ]
        if [kind for kind, _ in titles] not in (["main"], ["main", "secondary"]):
            yield f"BasicDescription: titles are {titles}"
        if [kind for kind, _ in synopses] not in (["medium"], ["short", "medium"]):
            yield f"BasicDescription: synopses are {synopses}"
        if any(length > MAXIMUM_TITLE for _, length in titles):
            yield f"Title: too long, {titles}"
        if any(length > MAXIMUM_SYNOPSES.get(str(kind), 0) for kind, length in synopses):
            yield f"Synopsis: too long, {synopses}"


def _identities(root: etree._Element) -> Iterator[str]:
    """A programme is described once, a service has one schedule, a broadcast is one event of it."""
    yield from _repeated(
        "ProgramInformation", [one.get("programId") for one in _all(root, "ProgramInformation")]
    )
    yield from _repeated("Schedule", [one.get("serviceIDRef") for one in _all(root, "Schedule")])
    for schedule in _all(root, "Schedule"):
        yield from _repeated("OtherIdentifier", [one.text for one in _all(schedule, "OtherIdentifier")])


def _repeated(name: str, ids: list[str | None]) -> Iterator[str]:
    yield from (f"{name}: {one} {times} times" for one, times in Counter(ids).items() if times > 1)


def _references(root: etree._Element) -> Iterator[str]:
    """Every programme that is shown is described, and no other is."""
    described = {one.get("programId") for one in _all(root, "ProgramInformation")}
    shown = {one.get("crid") for one in _all(root, "Program")}
    yield from (f"Program: {crid} is not described" for crid in shown - described)
    yield from (f"ProgramInformation: {crid} is not shown" for crid in described - shown)


def _times(root: etree._Element) -> Iterator[str]:
    """A schedule has a length, its events are in order of time, and the whole of each is within it."""
    for schedule in _all(root, "Schedule"):
        start, end = _instant(schedule.get("start")), _instant(schedule.get("end"))
        if start >= end:
            yield f"Schedule: from {start} to {end}"
        if [begins for begins, _ in events(schedule)] != sorted(begins for begins, _ in events(schedule)):
            yield "Schedule: not in order"
        if any(begins < start or ends > end for begins, ends in events(schedule)):
            yield "ScheduleEvent: outside of its schedule"


def _all(root: etree._Element, name: str) -> list[etree._Element]:
    return list(root.iter(f"{{{NAMESPACE}}}{name}"))


def _instant(text: str | None) -> datetime:
    return datetime.fromisoformat(text or "")


def _length(start: etree._Element) -> timedelta:
    duration = start.getnext()
    assert duration is not None
    found = _DURATION.fullmatch(duration.text or "")
    assert found is not None, duration.text
    hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
