"""The real code with one ordering or one guard taken away each, to see that the simulation would notice.

A mutant of a workflow is its source with one passage replaced; a mutant of the store takes one guard out of
the fake that stands for a server-side script. Does not belong here: how many seeds it takes to notice.
"""

import inspect
import textwrap
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest
from fakes import FakeCopyStore, FakeReferenceIndex, FakeScheduleStore, FakeWorkQueue

from schedules_pipeline.workflows import intake
from schedules_pipeline.workflows.follow_catalogue import CatalogueFollower
from schedules_pipeline.workflows.intake import ScheduleIntake
from schedules_pipeline.workflows.publish import Publisher
from schedules_pipeline.workflows.rebuild import Rebuilder
from schedules_pipeline.workflows.resolve_programmes import ProgrammeResolver

Mutation = Callable[[pytest.MonkeyPatch], None]


def _rewritten(owner: type | ModuleType, name: str, *passages: tuple[str, str]) -> Mutation:
    """The function with passages of its source replaced; AssertionError where one is not there."""

    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        function = getattr(owner, name)
        source = textwrap.dedent(inspect.getsource(function))
        for old, new in passages:
            assert source.count(old) == 1, f"{name} has changed: adapt the mutant, {old!r} is not in it once"
            source = source.replace(old, new)
        namespace: dict[str, Any] = {}
        exec(compile(source, f"mutant of {name}", "exec"), function.__globals__, namespace)
        monkeypatch.setattr(owner, name, namespace[name])

    return mutate


def _replaced(owner: type, name: str, answer: Callable[..., Any]) -> Mutation:
    return lambda monkeypatch: monkeypatch.setattr(owner, name, answer)


def _swapped(owner: type | ModuleType, name: str, first: str, second: str) -> Mutation:
    """The function with two statements, one after the other, in the other order."""
    between = "\n    "
    return _rewritten(owner, name, (first + between + second, second + between + first))


MUTANTS: Mapping[str, Mutation] = {
    "deletes the message before handling it": _swapped(
        intake, "take_in", "taken = handle(messages)", "queue.delete(messages)"
    ),
    "marks before counting the source change": _swapped(
        ScheduleIntake, "handle", "self._schedules.count_source_change(keys)", "self._work.mark(marks)"
    ),
    "uses what was read before registering": _rewritten(
        ProgrammeResolver, "_register", ("self._forget(", "(lambda pids: None)(")
    ),
    "registers nothing": _rewritten(
        ProgrammeResolver, "_register", ("self._references.register(fresh, self._token)", "pass")
    ),
    "marks before storing": _rewritten(
        CatalogueFollower,
        "follow",
        ("stored = ", "marked = self._propagate({pid: causes[pid] for pid in values})\n    stored = "),
        ("marked = self._propagate({pid: causes[pid] for pid in owed})", ""),
    ),
    "settles before marking": _swapped(
        CatalogueFollower,
        "follow",
        "marked = self._propagate({pid: causes[pid] for pid in owed})",
        "self._copies.settle({pid: begun[pid].token for pid in owed})",
    ),
    "unregisters before committing": _rewritten(
        Rebuilder,
        "_commit",
        ("now = self._clock()", "now = self._clock()\n    self._unregister(drafts, token)"),
    ),
    "releases before building": _rewritten(
        Publisher,
        "_build",
        (
            "try:\n        batch",
            "self._work.release(claim, [work.key for work in claim.work])\n    try:\n        batch",
        ),
    ),
    "commits whatever has moved": _replaced(FakeScheduleStore, "has_moved", lambda *_: False),
    "commits whatever is newer": _replaced(FakeScheduleStore, "is_overtaken", lambda *_: False),
    "says that the latest source was seen": _replaced(
        FakeScheduleStore, "mark_seen", lambda _, state, __: state.source_mark
    ),
    "forgets the outbox": _replaced(FakeScheduleStore, "left_behind", lambda *_: {}),
    "unregisters what was registered anew": _replaced(
        FakeReferenceIndex, "may_remove", lambda _, score, __: score is not None
    ),
    "stores over newer tokens": _replaced(FakeCopyStore, "is_fresh", lambda *_: True),
    "plants over newer tokens": _replaced(FakeCopyStore, "may_plant", lambda *_: True),
    "ignores what nobody refers to, though it is held": _replaced(
        FakeCopyStore, "is_needed", lambda self, pid: self._references.has_dependants(pid)
    ),
    "ignores without a fence": _replaced(FakeCopyStore, "fence_of_ignored", lambda _, fence: fence.newest),
    "records no token of an equal value": _replaced(
        FakeCopyStore, "fence_of_equal", lambda _, fence, __: fence.newest
    ),
    "keeps no debts": _replaced(FakeCopyStore, "owe", lambda *_: None),
    "owes nothing to who missed it": _replaced(FakeCopyStore, "is_missed", lambda *_: False),
    "settles newer debts": _replaced(FakeCopyStore, "may_settle", lambda *_: True),
    "releases what others have claimed": _replaced(
        FakeWorkQueue, "is_holder", lambda self, _, key: key in self.tokens
    ),
}
