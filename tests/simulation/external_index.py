"""The simulation of a store with an external back-reference index: its own scenarios and mutants.

The check for dependants and the step that relies on it are two steps here. ``fakes_external_index`` and the real
code define them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from fakes import FakeCopyStore, FakeReferenceIndex
from fakes_external_index import FakeCopyStoreWithExternalIndex, FakeExternalIndex
from simulation.interruption import (
    CATALOGUE,
    COLLECTOR,
    PUBLISHER,
    SECOND_CATALOGUE,
    Scenario,
)
from simulation.seams import Mutant, all_of, delayed, moved_forward, replaced, within
from toy_world import (
    BROADCASTS,
    EPISODES,
    KEYS,
    CollectionDue,
    ItemAnnouncedAgain,
    ItemPut,
    Late,
    SchedulePut,
    Slot,
    Unannounced,
)

from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.store.external_index import (
    ExternalIndexSteps,
    TokenCheckedReferenceIndex,
    UpdateStart,
)

_EPISODE, _KEY, _NEIGHBOUR = EPISODES[0], KEYS[0], KEYS[1]


# Scenarios


def _shows(episode: Pid | None, key: ScheduleKey = _KEY) -> SchedulePut:
    return SchedulePut(key, (Slot(BROADCASTS[0], episode), Slot(BROADCASTS[1], None)))


def _item(title: str) -> ItemPut:
    return ItemPut(_EPISODE, title)


_HELD_BUT_NOT_SHOWN = (_item("0"), _shows(_EPISODE), _shows(None))
_TAKEN_UP_BY_A_NEIGHBOUR_BEFORE_IT_IS_ANNOUNCED = (
    Unannounced(_item("1")),
    _shows(_EPISODE, _NEIGHBOUR),
    Late(ItemAnnouncedAgain(_EPISODE)),
)

SCENARIOS = (
    Scenario(
        "missing item is shown while it is ignored",
        CATALOGUE,
        [_shows(None)],
        [ItemAnnouncedAgain(_EPISODE)],
        [_shows(_EPISODE)],
        at_last=_TAKEN_UP_BY_A_NEIGHBOUR_BEFORE_IT_IS_ANNOUNCED,
    ),
    Scenario(
        "item is stored while it is ignored",
        CATALOGUE,
        [_shows(_EPISODE)],
        [_item("0"), _shows(None)],
        [_item("1")],
        at_last=[_shows(_EPISODE, _NEIGHBOUR)],
        accomplice=SECOND_CATALOGUE,
    ),
    Scenario(
        "item changes while it is collected",
        COLLECTOR,
        _HELD_BUT_NOT_SHOWN,
        [CollectionDue()],
        [_item("1")],
        at_last=[_shows(_EPISODE)],
    ),
    Scenario(
        "missing item is shown while its absence is collected",
        COLLECTOR,
        [_shows(_EPISODE), _shows(None)],
        [CollectionDue()],
        [_shows(_EPISODE)],
        at_last=_TAKEN_UP_BY_A_NEIGHBOUR_BEFORE_IT_IS_ANNOUNCED,
    ),
    Scenario(
        "item is collected while it is shown again",
        PUBLISHER,
        _HELD_BUT_NOT_SHOWN,
        [_shows(_EPISODE)],
        [CollectionDue()],
        at_last=_TAKEN_UP_BY_A_NEIGHBOUR_BEFORE_IT_IS_ANNOUNCED,
        accomplice=COLLECTOR,
    ),
)


# Mutants


def _stale_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first read after a write may return the state before it, as an inconsistent read may."""
    before: dict[Pid, dict[Reference, int]] = defaultdict(dict)
    register, references = FakeReferenceIndex._register_one, FakeReferenceIndex._references_one

    def remember(index: FakeReferenceIndex, pid: Pid, added: Sequence[Reference], token: int) -> None:
        scores = dict(index.scores[pid])
        register(index, pid, added, token)
        before[pid] = scores

    def read(index: FakeReferenceIndex, pid: Pid) -> list[Reference]:
        found = references(index, pid)
        return sorted(before.pop(pid), key=str) if pid in before else found

    monkeypatch.setattr(FakeReferenceIndex, "_register_one", remember)
    monkeypatch.setattr(FakeReferenceIndex, "_references_one", read)


def _start_as_if_not_held(
    start: Callable[..., dict[Pid, UpdateStart]],
    copies: FakeCopyStoreWithExternalIndex,
    pids: Sequence[Pid],
) -> dict[Pid, UpdateStart]:
    return {pid: replace(started, copy=None) for pid, started in start(copies, pids).items()}


MUTANTS = (
    Mutant(
        "checks before it takes its token",
        "missing item is shown while it is ignored",
        moved_forward(
            (ExternalIndexSteps, "begin"),
            (FakeCopyStoreWithExternalIndex, "_start"),
            (FakeExternalIndex, "depended_on"),
        ),
    ),
    Mutant(
        "ignores though a token was taken since",
        "missing item is shown while it is ignored",
        replaced(FakeCopyStoreWithExternalIndex, "is_latest", lambda *_: True),
    ),
    Mutant(
        "ignores though a copy has come",
        "item is stored while it is ignored",
        replaced(FakeCopyStoreWithExternalIndex, "has_copy", lambda *_: False),
    ),
    Mutant(
        "ignores without recording its token",
        "item changes while it is inserted for nobody",
        replaced(FakeCopyStoreWithExternalIndex, "newest_after_ignored", lambda _, known: known.newest),
    ),
    Mutant(
        "ignores an item with a copy but no dependants",
        "item is shown again",
        all_of(
            within(
                (ExternalIndexSteps, "begin"),
                (FakeCopyStoreWithExternalIndex, "_start"),
                _start_as_if_not_held,
            ),
            within(
                (ExternalIndexSteps, "begin"),
                (FakeCopyStoreWithExternalIndex, "_ignore"),
                lambda ignore, copies, tokens: set(tokens),
            ),
        ),
    ),
    Mutant(
        "deletes though a token was taken since",
        "copy is used again while it is collected",
        replaced(FakeCopyStoreWithExternalIndex, "is_latest", lambda *_: True),
    ),
    Mutant(
        "deletes a recorded absence though a token was taken since",
        "missing item is shown while its absence is collected",
        replaced(FakeCopyStoreWithExternalIndex, "is_latest", lambda *_: True),
    ),
    Mutant(
        "checks before it reads the token",
        "copy is used again while it is collected",
        moved_forward(
            (ExternalIndexSteps, "collect"),
            (FakeCopyStoreWithExternalIndex, "_latest_tokens"),
            (FakeExternalIndex, "depended_on"),
        ),
    ),
    Mutant(
        "registers without taking a token",
        "copy is used again while it is collected",
        within((TokenCheckedReferenceIndex, "register"), (FakeCopyStore, "take_tokens"), lambda *_: {}),
    ),
    Mutant(
        "takes the token before the entries are there",
        "item is collected while it is shown again",
        delayed(
            (TokenCheckedReferenceIndex, "register"),
            (FakeExternalIndex, "register"),
            (FakeCopyStore, "take_tokens"),
        ),
    ),
    Mutant("reads from a stale index", "known item changes while a schedule begins to show it", _stale_reads),
)
