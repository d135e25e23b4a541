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
from schedules_pipeline.documents.xmltv_reader import NOT_WELL_FORMED
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.errors import InvalidDocument
from schedules_pipeline.history.recorded import CatalogueUpdated, HistoryEvent, SchedulePut

if TYPE_CHECKING:
    from schedules_pipeline.settings import Settings

_GZIP = b"\x1f\x8b"
_OTHER_PACKINGS = {
    b"\xfd7zXZ": "xz -dc",
    b"BZh": "bzip2 -dc",
    b"PK\x03\x04": "unzip -p",
    b"\x28\xb5\x2f\xfd": "zstd -dc",
}
_HINT = "`import-xmltv --repair` mends a wrong byte, a bare & and an unknown entity"


def import_rules(
    settings: "Settings", zone: tzinfo = UTC, language: str = "", *, repairs: bool = False
) -> ImportRules:
    """The rules that follow from the settings: broadcast days, domain, images."""
    calendar = BroadcastCalendar(ZoneInfo(settings.time_zone), settings.radio_services)
    return ImportRules(calendar, settings.xmltv_domain, zone, language, settings.image_url_template, repairs)


def read_guide(path: Path, rules: ImportRules, now: datetime) -> ImportedGuide:
    """Raises :class:`InvalidDocument`, naming the file, if it is not a guide or has no schedules."""
    try:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            beginning = file.read(8)
            _require_known_packing(beginning)
            file.seek(0)
            stream = stack.enter_context(gzip.open(file)) if beginning.startswith(_GZIP) else file
            guide = import_xmltv(stream, rules, now)
    except InvalidDocument as error:
        hint = "" if rules.repairs or NOT_WELL_FORMED not in str(error) else f"; {_HINT}"
        raise InvalidDocument(f"{path}: {error}{hint}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidDocument(f"{path}: not a whole gzip file: {error}") from error
    if not guide.schedules:
        raise InvalidDocument(f"{path}: the guide has no schedules: {'; '.join(describe(guide))}")
    return guide


def _require_known_packing(beginning: bytes) -> None:
    for magic, command in _OTHER_PACKINGS.items():
        if beginning.startswith(magic):
            raise InvalidDocument(f"the guide is packed, and not by gzip: unpack it with `{command}` first")


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
