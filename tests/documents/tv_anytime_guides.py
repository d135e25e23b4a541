"""What the tests of the DVB-I schedule share: guides, and the document rendered of one.

The public XSDs are not in this repository (``tests/schemas/tv_anytime/README.md``). If ``SCHEDULES_TVA_SCHEMAS``
names a directory that has them, every document of these tests is validated by them too.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from builders import a_broadcast, an_episode
from documents.dvb_i import find_faults
from lxml import etree

from schedules_pipeline.documents.tv_anytime import (
    NAMESPACE,
    GuideNaming,
    render_tv_anytime,
)
from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

SCHEMAS_VARIABLE = "SCHEDULES_TVA_SCHEMAS"
NAMES = {"": NAMESPACE}
NAMING = GuideNaming("schedules.example", "2024", "en")
TEMPLATE = "https://images.example/{image_pid}.jpg"
ALDER, BIRCH = Sid("alder_one"), Sid("birch_two")
SIX = datetime(2026, 3, 10, 6, tzinfo=UTC)
DAY = Interval(SIX, SIX + timedelta(days=1))
EPISODE = an_episode(synopses=Synopses("A lamp.", "A lamp is lit.", "A lamp is lit at last."))
SHOWING = a_broadcast(1, SIX, 90, episode=EPISODE)
UNKNOWN = replace(SHOWING, episode=None, series=None, brand=None, title="", subtitle="")
BLANKED = replace(UNKNOWN, episode_pid=None, version_pid=None, is_blanked=True)


def guide_with(
    *showings: Broadcast, sid: Sid = ALDER, window: Interval = DAY, published_at: datetime = SIX
) -> ServiceGuide:
    return ServiceGuide(sid, "Alder One", window, showings, 1, published_at)


def render_valid(*guides: ServiceGuide, template: str = TEMPLATE) -> etree._Element:
    """The document, read again, after it was found to be as the standard wants it."""
    document = render_tv_anytime(guides, NAMING, image_url_template=template)
    assert find_faults(document) == []
    if SCHEMAS_VARIABLE in os.environ:
        load_schema(os.environ[SCHEMAS_VARIABLE]).assertValid(etree.fromstring(document))
    return etree.fromstring(document)


@cache
def load_schema(directory: str) -> etree.XMLSchema:
    """The schema of TV-Anytime, from a file of any name. Imported schemas are read from the same directory, never
    fetched.
    """
    parser = etree.XMLParser(no_network=True)
    for path in sorted(Path(directory).glob("tva_metadata_3-1*.xsd")):
        tree = etree.parse(path, parser)
        if tree.getroot().get("targetNamespace") == NAMESPACE:
            return etree.XMLSchema(tree)
    raise FileNotFoundError(
        f"{SCHEMAS_VARIABLE}={directory}: no tva_metadata_3-1*.xsd there is of {NAMESPACE}"
    )


def texts_of(root: etree._Element, name: str) -> list[str]:
    return [element.text or "" for element in root.iterfind(f".//{name}", NAMES)]


def values_of(root: etree._Element, name: str, attribute: str) -> list[str]:
    return [element.get(attribute, "") for element in root.iterfind(f".//{name}", NAMES)]
