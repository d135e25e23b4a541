"""The service list: numbers, regions and streams."""

from documents.tv_anytime_guides import NAMING
from lxml import etree

from schedules_pipeline.documents.service_list import (
    ListedService,
    TelevisionPolicy,
    TelevisionRegion,
    TelevisionService,
    number_services,
    render_service_list,
)
from schedules_pipeline.documents.tv_anytime import Rendition
from schedules_pipeline.domain.identifiers import Sid

_NORTH, _SOUTH = TelevisionRegion("The North", "GBR"), TelevisionRegion("The South", "GBR,IRL")
_LISTED = [
    ListedService(Sid(sid), sid.title(), sid == "radio") for sid in ("alder", "birch", "cedar", "radio")
]


def _policy(**services: TelevisionService) -> TelevisionPolicy:
    regions = {"north": _NORTH, "south": _SOUTH}
    return TelevisionPolicy(Rendition(NAMING), 'Oak & "Elm"', services, regions)


def _numbers(policy: TelevisionPolicy) -> dict[str, int]:
    return {one.listed.sid: one.number for one in number_services(_LISTED, policy)}


def _root(policy: TelevisionPolicy) -> etree._Element:
    return etree.fromstring(render_service_list(_LISTED, policy, "https://guide.example/", 20260310))


def test_services_without_numbers_are_counted() -> None:
    """In the order of their ids; numbers that others have are passed over."""
    assert _numbers(_policy()) == {"alder": 1, "birch": 2, "cedar": 3, "radio": 4}
    assert _numbers(_policy(cedar=TelevisionService(1)))["alder"] == 2


def test_a_number_is_used_once_in_a_region() -> None:
    """Two regions may have the same number, one region may not: the later service then gets a free one."""
    apart = _policy(alder=TelevisionService(7, ("north",)), birch=TelevisionService(7, ("south",)))
    beside = _policy(alder=TelevisionService(7, ("north",)), birch=TelevisionService(7))

    assert (_numbers(apart)["alder"], _numbers(apart)["birch"]) == (7, 7)
    assert _numbers(beside)["birch"] == 1


def test_each_region_has_its_table() -> None:
    """A service of no region is in every table; regions that no service is in are left out."""
    root = _root(_policy(alder=TelevisionService(7, ("north",))))
    tables = root.findall(".//{*}LCNTable")

    assert [table.findtext("{*}TargetRegion") for table in tables] == ["north"]
    assert len(tables[0].findall("{*}LCN")) == 4
    assert [region.get("regionID") for region in root.iterfind(".//{*}Region")] == ["north"]
    assert [len(t.findall("{*}LCN")) for t in _root(_policy()).iterfind(".//{*}LCNTable")] == [4]


def test_names_are_escaped_and_streams_and_radio_are_told() -> None:
    """The document says what the settings say."""
    root = _root(_policy(alder=TelevisionService(dash="https://streams.example/alder.mpd?a=1&b=2")))

    assert root.findtext("{*}ProviderName") == 'Oak & "Elm"'
    assert "https://streams.example/alder.mpd?a=1&b=2" in [uri.text for uri in root.iterfind(".//{*}URI")]
    assert [kind.get("href", "").rpartition(":")[2] for kind in root.iterfind(".//{*}ServiceType")] == [
        *["linear"] * 3,
        "linear-radio",
    ]
