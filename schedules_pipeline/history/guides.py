"""Reads XMLTV files, plain or gzipped, and turns them into a recorded history.

``documents.xmltv_import`` reads their elements.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from schedules_pipeline.documents.xmltv_import import ImportedGuide, ImportRules, import_xmltv
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.errors import InvalidDocument
from schedules_pipeline.history.recorded import CatalogueUpdated, HistoryEvent, SchedulePut

if TYPE_CHECKING:
    from schedules_pipeline.settings import Settings

_GZIP = b"\x1f\x8b"


def import_rules(settings: "Settings", zone: tzinfo = UTC, language: str = "") -> ImportRules:
    """The rules that follow from the settings: broadcast days, domain, images."""
    calendar = BroadcastCalendar(ZoneInfo(settings.time_zone), settings.radio_services)
    return ImportRules(calendar, settings.xmltv_domain, zone, language, settings.image_url_template)


def read_guide(path: Path, rules: ImportRules, now: datetime) -> ImportedGuide:
    """Raises :class:`InvalidDocument`, naming the file, if it is not a guide or has no schedules."""
    try:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            is_gzipped = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            stream = stack.enter_context(gzip.open(file)) if is_gzipped else file
            guide = import_xmltv(stream, rules, now)
    except InvalidDocument as error:
        raise InvalidDocument(f"{path}: {error}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidDocument(f"{path}: not a whole gzip file: {error}") from error
    if not guide.schedules:
        raise InvalidDocument(f"{path}: the guide has no schedules: {'; '.join(describe(guide))}")
    return guide


def guide_history(guide: ImportedGuide, at: datetime) -> Iterator[HistoryEvent]:
    """The catalogue, then the schedules, all at one instant, because a guide records no times of changes."""
    for pid, document in guide.catalogue.items():
        yield CatalogueUpdated(at, document, document["type"], pid)
    for (sid, day), document in guide.schedules.items():
        yield SchedulePut(at, document, sid, day)


def describe(guide: ImportedGuide) -> list[str]:
    """The numbers of a guide, and the remarks on elements that were changed or left out, one line each."""
    broadcasts = sum(len(document["broadcasts"]) for document in guide.schedules.values())
    numbers = {
        "service": len(guide.names),
        "schedule": len(guide.schedules),
        "broadcast": broadcasts,
        "catalogue item": len(guide.catalogue),
    }
    counts = [f"{number:,} {thing}{'' if number == 1 else 's'}" for thing, number in numbers.items()]
    return [
        f"guide: {', '.join(counts)}",
        *(f"{number:,} × {remark}" for remark, number in guide.remarks.items()),
    ]
