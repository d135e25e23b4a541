"""Every parser of the package behind one shape: bytes in; a value, or a ContentError.

Belongs here: the input of each parser, samples that it accepts, and how its values are written and read again. Does not
belong here: the properties (``test_parsers``, ``coverage_guided``).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from builders import a_change

from schedules_pipeline.documents import accepted_schedule, change_row
from schedules_pipeline.documents import cause as causes
from schedules_pipeline.documents.catalogue_document import parse_catalogue_document, parse_copy, render_copy
from schedules_pipeline.documents.notification import (
    ScheduleNotification,
    object_key,
    parse_catalogue_notification,
    parse_object_key,
    parse_schedule_notification,
)
from schedules_pipeline.documents.partner_document import Publication, render_document, split_document
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.documents.xmltv_import import ImportedGuide, ImportRules, import_xmltv
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid, parse_date
from schedules_pipeline.domain.schedule import SourceDocument
from schedules_pipeline.errors import ContentError
from schedules_pipeline.history import recorded as history
from schedules_pipeline.migration.legacy_document import parse_legacy_document
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.partners.record import PARTNER

KEY = ScheduleKey(Sid("alder"), date(2026, 3, 28))
PID = Pid("p0000001")
_NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Parser:
    """``read_again`` writes a value as we write it and reads that; None where we never write this format."""

    name: str
    read: Callable[[bytes], Any]
    samples: tuple[bytes, ...]
    read_again: Callable[[Any], Any] | None = None

    def __str__(self) -> str:
        return self.name


def _text(content: bytes) -> str:
    """Any bytes as a text; bytes that are not UTF-8 become lone surrogates, which a text may hold."""
    return content.decode(errors="surrogateescape")


def source_document(*, episode: str = "p0000001", broadcasts: int = 2) -> bytes:
    """A proper document of half hours."""
    slots = [
        {
            "broadcast_pid": f"w{number:07}",
            "episode_pid": episode,
            "version_pid": "v0000001",
            "start": f"2026-03-28T{6 + number // 2:02}:{number % 2 * 30:02}:00Z",
            "end": f"2026-03-28T{6 + (number + 1) // 2:02}:{(number + 1) % 2 * 30:02}:00Z",
            "is_repeat": number % 2 == 1,
        }
        for number in range(broadcasts)
    ]
    head = {"sid": KEY.sid, "date": KEY.date, "published_at": "2026-03-27T10:00:00.5+01:00"}
    return orjson.dumps({**head, "broadcasts": slots})


def catalogue_document(pid: str = PID, kind: str = "episode", parent: str | None = "s0000001") -> bytes:
    return orjson.dumps(
        {
            "pid": pid,
            "type": kind,
            "title": "Harbour Lights",
            "parent_pid": parent,
            "image_pid": "p0image1",
            "synopses": {"short": "A short one.", "medium": None, "long": "A long one."},
            "warning_text": None,
            "position": 4,
        }
    )


def _enveloped(message: bytes) -> bytes:
    return orjson.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": message.decode()})


def _with_envelopes(*messages: object) -> tuple[bytes, ...]:
    bare = [orjson.dumps(message) for message in messages]
    return (*bare, *map(_enveloped, bare))


_RECORD = {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": object_key(KEY)}}}
SCHEDULE_MESSAGES = _with_envelopes(
    {"sid": "alder", "date": "2026-03-28"},
    {"sid": "alder", "date": "2026-03-28", "action": "DELETE"},
    {"Records": [_RECORD, {**_RECORD, "eventName": "ObjectRemoved:Delete"}]},
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "schedule-source"},
)
CATALOGUE_MESSAGES = _with_envelopes(
    {"action": "UPDATE", "type": "episode", "pid": PID, "seq": 1, "at": "2026-03-27T10:00:00Z"},
    {"action": "DELETE", "type": "brand", "pid": "b0000001"},
)

_ITEM = CatalogueItem(
    PID, Kind.EPISODE, "Salt", Pid("s0000001"), "p0image1", Synopses("short", "medium", "long"), "loud"
)
_CAUSE = Cause("event-1", Origin.CATALOGUE, PID, _NOON, ("title",))
_CHANGE = a_change(KEY, 3, published_at=_NOON, causes=(_CAUSE,), cause_count=1)
_PUBLICATION = Publication(3, _NOON, "0123456789abcdef")
_ACCEPTED = accepted_schedule.accept(parse_source_document(KEY, source_document()).schedule)
_LINE = {
    "at": "2026-03-27T10:00:00Z",
    "kind": "schedule",
    "action": "PUT",
    "sid": "alder",
    "date": "2026-03-28",
}
_EDIT = {
    "at": "2026-03-27T10:00:00+01:00",
    "kind": "catalogue",
    "action": "UPDATE",
    "type": "episode",
    "pid": PID,
}


def _read_accepted(content: bytes) -> Any:
    """Of an accepted schedule both readings: its columns, and the broadcasts in its slots."""
    accepted = accepted_schedule.parse_accepted(content)
    return accepted, accepted_schedule.read_source(KEY, accepted)


def _accept_again(document: Any) -> Any:
    accepted = accepted_schedule.accept(document.schedule, document.quarantined, document.mended)
    stored = accepted_schedule.parse_accepted(accepted_schedule.render_accepted(accepted))
    return SourceDocument(accepted_schedule.read_source(KEY, stored), stored.quarantined, stored.mended)


def _name_again(notification: ScheduleNotification) -> ScheduleNotification:
    keys = tuple(parse_object_key(object_key(key)) for key in notification.keys)
    return replace(notification, keys=keys)


_GUIDE_RULES = ImportRules(BroadcastCalendar(ZoneInfo("Europe/London")), "alder.example")
_GUIDE = b"""<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE tv SYSTEM "xmltv.dtd">
<tv date="20260328"><channel id="a.b"><display-name lang="en">A</display-name></channel>
<programme start="20260328120000 +0000" stop="202603281230 BST" channel="a.b"><title lang="en">Salt</title>
<sub-title>Low Tide</sub-title><desc>A boat &amp; a &#8364;.</desc>
<episode-num system="xmltv_ns">1 . 2/3 . </episode-num></programme><programme start="202603281245" channel="c"
clumpidx="0/2"><title>News</title></programme></tv>"""
_GUIDE_OF_OURS = b"""<tv>
<programme start="20260328120000 +0000" stop="20260328123000 +0000" channel="a.alder.example"><title>Salt</title>
<keyword>blanked</keyword><episode-num system="alder.example">broadcast/w0000001</episode-num>
<episode-num system="alder.example">brand/b0000001</episode-num></programme></tv>"""


def _read_guide(content: bytes) -> ImportedGuide:
    return import_xmltv(BytesIO(content), _GUIDE_RULES, _NOON)


def _take_in(guide: ImportedGuide) -> ImportedGuide:
    """The guide, if the pipeline accepts every document that was made of it."""
    try:
        for pid, item in guide.catalogue.items():
            parse_catalogue_document(Pid(pid), orjson.dumps(item))
        for (sid, day), schedule in guide.schedules.items():
            document = parse_source_document(ScheduleKey(Sid(sid), day), orjson.dumps(schedule))
            assert not document.quarantined
    except ContentError as rejection:
        raise AssertionError(f"a document that was made of the guide is refused: {rejection}") from rejection
    return guide


_PARTNER = Partner(
    "acme",
    _NOON,
    ("alder_*", "birch?"),
    is_preview=True,
    keys=(issue_key(bytes(range(RANDOM_BYTES)), _NOON, _NOON).key,),
)

PARSERS = (
    Parser(
        "source_document",
        lambda content: parse_source_document(KEY, content),
        (source_document(), source_document(broadcasts=0)),
        _accept_again,
    ),
    Parser(
        "accepted_schedule",
        _read_accepted,
        (accepted_schedule.render_accepted(_ACCEPTED),),
        lambda both: (
            accepted_schedule.parse_accepted(accepted_schedule.render_accepted(both[0])),
            both[1],
        ),
    ),
    Parser(
        "catalogue_document",
        lambda content: parse_catalogue_document(PID, content),
        (catalogue_document(), catalogue_document(kind="series", parent=None)),
        lambda item: parse_copy(PID, render_copy(item)),
    ),
    Parser(
        "copy",
        lambda content: parse_copy.__wrapped__(PID, content),
        (render_copy(_ITEM), render_copy(CatalogueItem(PID, Kind.BRAND))),
        lambda item: parse_copy(PID, render_copy(item)),
    ),
    Parser(
        "schedule_notification",
        lambda content: parse_schedule_notification(_text(content)),
        SCHEDULE_MESSAGES,
        _name_again,
    ),
    Parser(
        "catalogue_notification",
        lambda content: parse_catalogue_notification(_text(content)),
        CATALOGUE_MESSAGES,
    ),
    Parser(
        "legacy_document",
        parse_legacy_document,
        (
            orjson.dumps(
                {
                    "generated_at": "2026-03-28T12:00:00Z",
                    "schedule": {"sid": "alder", "date": "2026-03-28", "broadcasts": [{"title": "Salt"}]},
                }
            ),
        ),
    ),
    Parser(
        "partner_record",
        PARTNER.parse,
        (PARTNER.render(_PARTNER),),
        lambda partner: PARTNER.parse(PARTNER.render(partner)),
    ),
    Parser(
        "change_row",
        change_row.parse_row,
        (change_row.render_row(_CHANGE),),
        lambda change: change_row.parse_row(change_row.render_row(change)),
    ),
    Parser(
        "cause",
        causes.parse_cause.__wrapped__,
        (causes.render_cause(_CAUSE),),
        lambda cause: causes.parse_cause(causes.render_cause(cause)),
    ),
    Parser(
        "partner_document",
        split_document,
        (
            render_document(KEY, _PUBLICATION, b"[]"),
            render_document(KEY, _PUBLICATION, b'[{"title":"Salt"}]'),
        ),
    ),
    Parser(
        "history_line",
        lambda line: history.parse_line("history.jsonl.gz", 1, line),
        (
            orjson.dumps({**_LINE, "document": orjson.loads(source_document())}),
            orjson.dumps({**_EDIT, "document": orjson.loads(catalogue_document())}),
            orjson.dumps({**_LINE, "action": "REMOVE"}),
            orjson.dumps({**_EDIT, "action": "DELETE"}),
        ),
    ),
    Parser("xmltv", _read_guide, (_GUIDE, _GUIDE_OF_OURS), _take_in),
    Parser("pid", lambda content: Pid(_text(content)), (b"p0000001", b"0" * 32), lambda pid: Pid(str(pid))),
    Parser("sid", lambda content: Sid(_text(content)), (b"alder_one", b"0"), lambda sid: Sid(str(sid))),
    Parser(
        "date",
        lambda content: parse_date(_text(content)),
        (b"2026-03-28",),
        lambda day: parse_date(day.isoformat()),
    ),
    Parser(
        "schedule_key",
        lambda content: ScheduleKey.parse(_text(content)),
        (b"alder/2026-03-28",),
        lambda key: ScheduleKey.parse(str(key)),
    ),
    Parser(
        "object_key",
        lambda content: parse_object_key(_text(content)),
        (b"schedules/alder/2026-03-28.json",),
        lambda key: parse_object_key(object_key(key)),
    ),
)
