"""What the tests of the XMLTV import share: small guides, and what an import of one gives."""

from io import BytesIO
from typing import Any

import orjson
from documents.xmltv_guides import (
    CALENDAR,
    DOMAIN,
    NOON,
)

from schedules_pipeline.documents.catalogue_document import parse_catalogue_document
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.documents.xmltv_import import ImportedGuide, ImportRules, import_xmltv
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.schedule import Slot

TEMPLATE = "https://i.example/{image_pid}.jpg"
RULES = ImportRules(CALENDAR, DOMAIN, image_url_template=TEMPLATE)


def imported_from(content: bytes, rules: ImportRules = RULES) -> ImportedGuide:
    return import_xmltv(BytesIO(content), rules, NOON)


def tv_document(
    *elements: str, channel: str = '<channel id="bbc1.uk"><display-name>One</display-name></channel>'
) -> bytes:
    return f"<tv>{channel}{''.join(elements)}</tv>".encode()


def programme_element(
    start: str = "202603281200 +0000",
    stop: str | None = "202603281230 +0000",
    inside: str = "<title>Salt and Slate</title>",
    channel: str = "bbc1.uk",
    more: str = "",
) -> str:
    ends = "" if stop is None else f' stop="{stop}"'
    return f'<programme start="{start}"{ends} channel="{channel}" {more}>{inside}</programme>'


def broadcasts_of(imported: ImportedGuide) -> list[dict[str, Any]]:
    return [
        broadcast
        for _, document in sorted(imported.schedules.items())
        for broadcast in document["broadcasts"]
    ]


def times_of(imported: ImportedGuide) -> list[tuple[str, str]]:
    return [(broadcast["start"], broadcast["end"]) for broadcast in broadcasts_of(imported)]


def parse_imported(
    imported: ImportedGuide,
) -> tuple[dict[Pid, CatalogueItem], dict[ScheduleKey, tuple[Slot, ...]]]:
    """What the pipeline's own parsers make of the documents; an InvalidDocument where they refuse one."""
    items = {
        Pid(pid): parse_catalogue_document(Pid(pid), orjson.dumps(document))
        for pid, document in imported.catalogue.items()
    }
    keys = {key: ScheduleKey(Sid(key[0]), key[1]) for key in imported.schedules}
    schedules = {
        keys[key]: parse_source_document(keys[key], orjson.dumps(document)).schedule.slots
        for key, document in imported.schedules.items()
    }
    return items, schedules


def pids_of(imported: ImportedGuide, field: str = "broadcast_pid") -> list[str]:
    return [broadcast[field] for broadcast in broadcasts_of(imported)]
