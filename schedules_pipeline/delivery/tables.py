"""Answers with two tables, of which the first has each programme of all services once, as pieces: TV-Anytime."""

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from operator import attrgetter

from schedules_pipeline.delivery.costs import share_of_rendering
from schedules_pipeline.delivery.parts import Part, guide_of, latest, render_guide, validator_of_parts
from schedules_pipeline.delivery.representations import Contribution, Fragment, Tables, constant, validator_of
from schedules_pipeline.documents.guide_formats import GuideFormat
from schedules_pipeline.documents.tv_anytime import BETWEEN, END, ScheduleTables
from schedules_pipeline.domain.day_cut import Straddling

_UNPUBLISHED = datetime.min.replace(tzinfo=UTC)


def tables_of(
    parts: Sequence[Part], offer: GuideFormat, straddling: Straddling, tables: ScheduleTables
) -> Tables:
    """An entry is that of the service that was published last, as :meth:`ScheduleTables.render` has it."""
    by_sid = sorted(parts, key=attrgetter("sid"))
    contributions = {part.sid: _contribution(part, offer, straddling, tables) for part in by_sid}
    latest_first = sorted(by_sid, key=lambda part: latest([part]) or _UNPUBLISHED, reverse=True)
    return Tables(
        constant(tables.start),
        tuple(contributions[part.sid] for part in latest_first),
        constant(BETWEEN),
        tuple(one.schedule for one in contributions.values()),
        constant(END),
    )


def _contribution(
    part: Part, offer: GuideFormat, straddling: Straddling, tables: ScheduleTables
) -> Contribution:
    validator = validator_of_parts((straddling, "tables"), offer, [part])
    half = share_of_rendering(len(part.named)) / 2
    schedule = partial(render_guide, straddling, tables.schedule, part)
    return Contribution(
        Fragment(f"{validator}.ids", partial(_render_ids, straddling, tables, part)),
        partial(_entries, validator, half, straddling, tables, part),
        Fragment(f"{validator}.schedule", schedule, half),
    )


def _entries(
    validator: str,
    cost: Fraction,
    straddling: Straddling,
    tables: ScheduleTables,
    part: Part,
    elsewhere: frozenset[str],
) -> Fragment:
    render = partial(tables.programmes, elsewhere=elsewhere)
    source = partial(render_guide, straddling, render, part)
    return Fragment(validator_of("entries", validator, *sorted(elsewhere)), source, cost)


def _render_ids(straddling: Straddling, tables: ScheduleTables, part: Part) -> bytes:
    return "\n".join(tables.ids(guide_of(straddling, part))).encode()
