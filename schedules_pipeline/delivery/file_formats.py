"""The formats of delivered files, by what the settings say of names and images.

Each file is one schedule, a broadcast day. The catalogue schedule is of UTC days, which are cut from several schedules;
so it is offered by the service alone.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from schedules_pipeline.connections import calendar_from
from schedules_pipeline.delivery.offers import offers_from
from schedules_pipeline.delivery.service_names import ServiceNames
from schedules_pipeline.documents.delivered_file import FORMAT_NAMES, PUBLISHED_DOCUMENT, FileFormat
from schedules_pipeline.documents.partner_document import parse_published
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.service_guide import ServiceGuide
from schedules_pipeline.settings import Settings

RenderGuides = Callable[[Sequence[ServiceGuide]], bytes]


def file_formats_from(settings: Settings, names: ServiceNames) -> Mapping[str, FileFormat]:
    """All of :data:`FORMAT_NAMES`."""
    calendar = calendar_from(settings)
    renderers = {offer.name: offer.render for offer in offers_from(settings).offers}
    others = [name for name in FORMAT_NAMES if name != PUBLISHED_DOCUMENT.suffix]
    made = {name: FileFormat(name, partial(_render, renderers[name], calendar, names)) for name in others}
    return {PUBLISHED_DOCUMENT.suffix: PUBLISHED_DOCUMENT, **made}


def _render(render: RenderGuides, calendar: BroadcastCalendar, names: ServiceNames, document: bytes) -> bytes:
    schedule = parse_published(document)
    sid = schedule.key.sid
    window = calendar.window(schedule.key)
    return render(
        [ServiceGuide(sid, names.of(sid), window, schedule.broadcasts, schedule.seq, schedule.published_at)]
    )
