"""The simulation of a store whose back-references are elsewhere: its own scenarios, and its mutants.

Belongs here: what is different where the look at the dependants and the step that follows from it are two.
Does not belong here: what these steps are (``fakes_external_index``, and the real code).
"""

from collections import defaultdict
from collections.abc import Sequence

import pytest
from fakes import FakeReferenceIndex
from fakes_external_index import FakeCopyStoreWithExternalIndex
from simulation.interruption import (
    CATALOGUE,
    COLLECTOR,
    PUBLISHER,
    SECOND_CATALOGUE,
    Scenario,
)
from simulation.mutants import Mutant, _replaced, _rewritten, _swapped
from toy_world import (
    BROADCASTS,
    EPISODES,
    KEYS,
    CollectionDue,
    ItemPut,
    ItemSaidAgain,
    Late,
    SchedulePut,
    Slot,
    Unannounced,
)

from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.store.external_index import ExternalIndexSteps, TokenCheckedReferenceIndex

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
    Late(ItemSaidAgain(_EPISODE)),
)

SCENARIOS = (
    Scenario(
        "missing item is taken up while it is ignored",
        CATALOGUE,
        [_shows(None)],
        [ItemSaidAgain(_EPISODE)],
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
        "missing item is taken up while its note is collected",
        COLLECTOR,
        [_shows(_EPISODE), _shows(None)],
        [CollectionDue()],
        [_shows(_EPISODE)],
        at_last=_TAKEN_UP_BY_A_NEIGHBOUR_BEFORE_IT_IS_ANNOUNCED,
    ),
    Scenario(
        "item is collected while it is taken up",
        PUBLISHER,
        _HELD_BUT_NOT_SHOWN,
        [_shows(_EPISODE)],
        [CollectionDue()],
        at_last=_TAKEN_UP_BY_A_NEIGHBOUR_BEFORE_IT_IS_ANNOUNCED,
        accomplice=COLLECTOR,
    ),
)


# Mutants


def _read_as_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first read after a write may miss it, as a read that is not consistent may."""
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


MUTANTS = (
    Mutant(
        "looks before it takes its token",
        "missing item is taken up while it is ignored",
        _rewritten(
            ExternalIndexSteps,
            "begin",
            (
                "started = self._start(pids)",
                "depended_on = self.index.depended_on(pids)\n    started = self._start(pids)",
            ),
            ("depended_on = self.index.depended_on(unheld)\n", "\n"),
        ),
    ),
    Mutant(
        "ignores though a token was taken since",
        "missing item is taken up while it is ignored",
        _replaced(FakeCopyStoreWithExternalIndex, "is_latest", lambda *_: True),
    ),
    Mutant(
        "ignores though a copy has come",
        "item is stored while it is ignored",
        _replaced(FakeCopyStoreWithExternalIndex, "has_come", lambda *_: False),
    ),
    Mutant(
        "ignores without a fence",
        "item changes while it is planted for nobody",
        _replaced(
            FakeCopyStoreWithExternalIndex, "fence_of_ignored", lambda _, version_token: version_token.newest
        ),
    ),
    Mutant(
        "ignores what nobody refers to, though it is held",
        "item is shown again",
        _rewritten(
            ExternalIndexSteps,
            "begin",
            ("if not start.is_held", ""),
            ("ignored = ", "ignored = {pid for pid in unheld if pid not in depended_on} or "),
        ),
    ),
    Mutant(
        "deletes though a token was taken since",
        "copy is taken up while it is collected",
        _replaced(FakeCopyStoreWithExternalIndex, "is_latest", lambda *_: True),
    ),
    Mutant(
        "deletes a note though a token was taken since",
        "missing item is taken up while its note is collected",
        _replaced(FakeCopyStoreWithExternalIndex, "is_latest", lambda *_: True),
    ),
    Mutant(
        "looks before it notes the token",
        "copy is taken up while it is collected",
        _swapped(
            ExternalIndexSteps,
            "collect",
            "noted = self._latest_tokens(pids)",
            "depended_on = self.index.depended_on(pids)",
        ),
    ),
    Mutant(
        "registers without taking a token",
        "copy is taken up while it is collected",
        _rewritten(
            TokenCheckedReferenceIndex, "register", ("self._copies.take_tokens(", "(lambda pids: None)(")
        ),
    ),
    Mutant(
        "takes the token before the entries are there",
        "item is collected while it is taken up",
        _swapped(
            TokenCheckedReferenceIndex,
            "register",
            "self._index.register(entries, token)",
            "self._copies.take_tokens(sorted({entry.pid for wanted in entries.values() for entry in wanted}))",
        ),
    ),
    Mutant("reads what may be older", "known item changes while it is taken up", _read_as_was),
)
