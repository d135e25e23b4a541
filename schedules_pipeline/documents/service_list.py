"""The service list of DVB-I, with which a television begins: ETSI TS 103 770 V1.2.1, clauses 5.5 and 6.1.

Belongs here: services, regions, channel numbers, and where the content guide is, as
``urn:dvb:metadata:servicediscovery:2024``. Does not belong here: the answers of the content guide
(:mod:`~schedules_pipeline.documents.content_guide`), and which services a television may see.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, NamedTuple

from lxml import etree
from pydantic import Field

from schedules_pipeline.documents.tv_anytime import GuideNaming, Rendition
from schedules_pipeline.documents.xmltv import written
from schedules_pipeline.domain.identifiers import Sid

NAMESPACE: Final = "urn:dvb:metadata:servicediscovery:2024"
TYPES: Final = "urn:dvb:metadata:servicediscovery-types:2023"
MEDIA_TYPE: Final = "application/xml"

_GUIDE = "guide"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_TYPE_OF_SERVICE = "urn:dvb:metadata:cs:ServiceTypeCS:2019:"
_DASH = "application/dash+xml"

RegionId = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,39}$")]


@dataclass(frozen=True, slots=True)
class TelevisionService:
    """``number``: the channel number; None for the next free one. ``regions``: empty for all of them. ``dash``: the
    address of the service's DASH manifest, "" where televisions cannot play it from here.
    """

    number: Annotated[int, Field(ge=1, le=9_999)] | None = None
    regions: tuple[RegionId, ...] = ()
    dash: Annotated[str, Field(pattern=r"^(https?://[!-~]+)?$")] = ""


@dataclass(frozen=True, slots=True)
class TelevisionRegion:
    """``countries``: codes of ISO 3166-1 of three letters, separated by commas."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    countries: Annotated[str, Field(pattern=r"^[A-Z]{3}(,[A-Z]{3})*$")]


@dataclass(frozen=True, slots=True)
class TelevisionPolicy:
    """What is told to televisions beyond the schedules. ``provider``: the broadcaster, for people. ``address``: under
    which televisions ask, such as ``https://guide.example``; "" for that of the request.
    """

    rendition: Rendition
    provider: str
    services: Mapping[str, TelevisionService] = field(default_factory=dict)
    regions: Mapping[str, TelevisionRegion] = field(default_factory=dict)
    address: str = ""


NO_TELEVISIONS: Final = TelevisionPolicy(
    Rendition(GuideNaming("schedules.example", "2024", "en"), is_for_televisions=True), "Schedules"
)


class ListedService(NamedTuple):
    sid: Sid
    name: str
    is_radio: bool


class _Numbered(NamedTuple):
    listed: ListedService
    number: int
    regions: Collection[str]


def render_service_list(
    listed: Sequence[ListedService], policy: TelevisionPolicy, endpoints: str, version: int
) -> bytes:
    """``endpoints``: the address of the content guide, which ends with a slash. ``version``: at least 1."""
    naming = policy.rendition.naming
    document = etree.fromstring(f'<ServiceList xmlns="{NAMESPACE}" xmlns:types="{TYPES}"/>')
    document.set("version", str(version))
    document.set("id", f"tag:{naming.authority},{naming.tag_date}:service-list")
    document.set(_LANGUAGE, naming.language)
    _add(document, "Name", written(policy.provider))
    _add(document, "ProviderName", written(policy.provider))
    numbered = number_services(listed, policy)
    regions = _used_regions(numbered, policy)
    if regions:
        _add_regions(document, regions, version)
    tables = _add(document, "LCNTableList")
    for region in regions or [""]:
        _add_numbers(tables, region, numbered, policy)
    _add_guide(document, policy, endpoints)
    for service in numbered:
        _add_service(document, service, policy, version)
    return etree.tostring(document, encoding="UTF-8", xml_declaration=True)


def number_services(listed: Sequence[ListedService], policy: TelevisionPolicy) -> list[_Numbered]:
    """In order of number. A service without a number, or with one that another service of its region has, gets the
    next that is free everywhere.
    """
    set_numbers = {s.number for s in policy.services.values() if s.number is not None}
    free = (number for number in range(1, 10_000 + len(listed)) if number not in set_numbers)
    taken: set[tuple[int, str]] = set()
    found = []
    for service in listed:
        wanted = policy.services.get(service.sid, TelevisionService())
        regions = [one for one in wanted.regions if one in policy.regions]
        places = regions or [*policy.regions, ""]
        number = wanted.number
        if number is None or any((number, region) in taken for region in places):
            number = next(free)
        taken.update((number, region) for region in places)
        found.append(_Numbered(service, number, regions))
    return sorted(found, key=lambda one: (one.number, one.listed.sid))


def _used_regions(numbered: Sequence[_Numbered], policy: TelevisionPolicy) -> dict[str, TelevisionRegion]:
    used = {region for one in numbered for region in one.regions}
    return {region: told for region, told in policy.regions.items() if region in used}


def _add_regions(document: etree._Element, regions: Mapping[str, TelevisionRegion], version: int) -> None:
    table = _add(document, "RegionList", version=str(version))
    for region, told in regions.items():
        element = _add(table, "Region", regionID=region, countryCodes=told.countries)
        _add(element, "RegionName", written(told.name))


def _add_numbers(
    tables: etree._Element, region: str, numbered: Sequence[_Numbered], policy: TelevisionPolicy
) -> None:
    """One table for each region, or one for all, which has no region: "". Clients show only services that have a
    number there.
    """
    table = _add(tables, "LCNTable")
    if region:
        _add(table, "TargetRegion", region)
    for one in numbered:
        if not region or not one.regions or region in one.regions:
            identity = {"serviceRef": policy.rendition.naming.service_id(one.listed.sid)}
            _add(table, "LCN", channelNumber=str(one.number), **identity)


def _add_guide(document: etree._Element, policy: TelevisionPolicy, endpoints: str) -> None:
    source = _add(document, "ContentGuideSource", CGSID=_GUIDE)
    _add(source, "ProviderName", written(policy.provider))
    for name, path in _endpoints():
        endpoint = _add(source, name, contentType=MEDIA_TYPE)
        etree.SubElement(endpoint, f"{{{TYPES}}}URI").text = f"{endpoints}{path}"


def _endpoints() -> Iterator[tuple[str, str]]:
    yield "ScheduleInfoEndpoint", "schedule"
    yield "ProgramInfoEndpoint", "programme"
    yield "MoreEpisodesEndpoint", "more-episodes"


def _add_service(
    document: etree._Element, service: _Numbered, policy: TelevisionPolicy, version: int
) -> None:
    sid, name, is_radio = service.listed
    element = _add(document, "Service", version=str(version))
    _add(element, "UniqueIdentifier", policy.rendition.naming.service_id(sid))
    if dash := policy.services.get(sid, TelevisionService()).dash:
        instance = _add(element, "ServiceInstance", priority="1")
        place = _add(_add(instance, "DASHDeliveryParameters"), "UriBasedLocation", contentType=_DASH)
        etree.SubElement(place, f"{{{TYPES}}}URI").text = dash
    for region in service.regions:
        _add(element, "TargetRegion", region)
    _add(element, "ServiceName", written(name))
    _add(element, "ProviderName", written(policy.provider))
    _add(element, "ServiceType", href=_TYPE_OF_SERVICE + ("linear-radio" if is_radio else "linear"))


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: etree._Element, name: str, text: str = "", /, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, _tag(name), attributes)
    if text:
        element.text = text
    return element
