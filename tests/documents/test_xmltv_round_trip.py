"""A guide that is rendered as XMLTV and imported again is the same guide."""

import re
from datetime import timedelta
from typing import Any

import pytest
from documents.xmltv_guides import (
    ALDER,
    CALENDAR,
    DOMAIN,
    LONG_DAY,
    NOON,
    SHORT_DAY,
    blanked,
    day_guide,
    guide,
    guides,
    showing,
    unknown,
)
from documents.xmltv_imports import (
    TEMPLATE,
    broadcasts_of,
    imported_from,
    parse_imported,
    pids_of,
)
from hypothesis import given
from hypothesis import strategies as st
from renderers import render_xmltv

from schedules_pipeline.documents.xmltv_import import ImportedGuide, ImportRules
from schedules_pipeline.documents.xmltv_reader import Remark
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.programme import join_programme, resolve_programme
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.domain.service_guide import ServiceGuide


def _published(imported: ImportedGuide) -> list[ServiceGuide]:
    """What partners would see of an import: its documents, joined as the pipeline joins them."""
    items, schedules = parse_imported(imported)
    found: dict[Sid, list[Broadcast]] = {}
    for key, broadcasts in schedules.items():
        found.setdefault(key.sid, []).extend(_shown(b, items) for b in broadcasts)
    return [
        guide(sorted(shown, key=lambda s: (s.start, s.broadcast_pid)), sid, imported.names[sid])
        for sid, shown in found.items()
    ]


def _shown(slot: Slot, items: dict[Pid, CatalogueItem]) -> Broadcast:
    found = resolve_programme(slot.episode_pid, items.get).items if slot.episode_pid else ()
    return Broadcast(**vars(slot), **vars(join_programme(found)))


def _render(made: list[ServiceGuide]) -> bytes:
    return render_xmltv(made, domain=DOMAIN, image_url_template=TEMPLATE)


_LINES = re.compile(
    rb'<programme start="([^"]+)" stop="([^"]+)" channel="([^"]+)">\s*<title>([^<]+)</title>\s*'
    rb"(?:<sub-title>([^<]*)</sub-title>)?"
)
_FLAGS = ("is_repeat", "is_blanked", "is_signed", "is_audio_described")


@given(guides())
def test_what_was_rendered_is_imported_as_it_was(made: list[ServiceGuide]) -> None:
    """Every broadcast has its pid, its times, its flags, its title and its sub-title again."""
    rendered = _render(made)

    back = _published(imported_from(rendered))

    assert sorted(_LINES.findall(_render(back))) == sorted(_LINES.findall(rendered))
    flags, flags_back = (
        {s.broadcast_pid: [getattr(s, flag) for flag in _FLAGS] for g in each for s in g.broadcasts}
        for each in (made, back)
    )
    assert flags_back == flags


@given(guides())
def test_an_import_is_stable(made: list[ServiceGuide]) -> None:
    """An import that is rendered and imported again has the same pids; a third time gives the same bytes."""
    first = imported_from(_render(made))
    again = _render(_published(first))

    second = imported_from(again)

    assert pids_of(second) == pids_of(first)
    assert _LINES.findall(_render(_published(second))) == _LINES.findall(again)


@given(guides(), st.randoms(use_true_random=False))
def test_a_foreign_guide_gives_the_same_pids_in_any_order(made: list[ServiceGuide], random: Any) -> None:
    """Of programmes that do not overlap: what comes first in the file makes no difference."""
    text = re.sub(rb"\s*<episode-num[^\n]*", b"", _render(made))
    head, *programmes = text.replace(b"</tv>", b"").split(b"<programme ")
    random.shuffle(programmes)
    shuffled = b"<programme ".join([head, *programmes]) + b"</tv>"

    one, other = imported_from(text), imported_from(shuffled)

    assert sorted((b["start"], b["end"], b["broadcast_pid"]) for b in broadcasts_of(one)) == sorted(
        (b["start"], b["end"], b["broadcast_pid"]) for b in broadcasts_of(other)
    )


@pytest.mark.parametrize("key", [SHORT_DAY, LONG_DAY])
def test_days_on_which_the_clocks_change_come_back_whole(key: ScheduleKey) -> None:
    """All their hours are in the one document, and the times are those that went out."""
    made = day_guide(key)

    imported = imported_from(_render([made]))

    assert [(sid, day) for sid, day in imported.schedules] == [(key.sid, key.date)]
    (back,) = _published(imported)
    assert [(s.start, s.end) for s in back.broadcasts] == [(s.start, s.end) for s in made.broadcasts]


def test_slots_without_a_programme_come_back_as_they_were() -> None:
    """One that is blanked, and one whose episode the catalogue lacks."""
    made = guide([showing(), blanked(NOON + timedelta(hours=1), 2), unknown(NOON + timedelta(hours=2), 3)])

    (back,) = _published(imported_from(_render([made])))

    assert [(s.is_blanked, s.episode_pid, s.title) for s in back.broadcasts] == [
        (s.is_blanked, s.episode_pid, s.title) for s in made.broadcasts
    ]
    assert back.sid == ALDER


def test_the_guide_of_another_pipeline_is_another_s() -> None:
    """Ids of another domain are not taken as pids."""
    imported = imported_from(_render([guide([showing()])]), ImportRules(CALENDAR, "birch.example"))

    assert "w0000001" not in pids_of(imported)
    assert list(imported.names) == ["alder_one_north_alder_example"]


def test_the_remarks_of_an_import_can_be_read() -> None:
    """Each remark names its subject and the action taken."""
    assert all(re.fullmatch(r"(channel|programme|text) .+: .+", remark) for remark in Remark)
