"""The real code with one ordering or one guard taken away each, to see that the simulation would notice.

A mutant of a workflow is its source with one passage replaced; a mutant of the store takes one guard out of
the fake that stands for a server-side script. Does not belong here: how it is noticed.
"""

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from fakes import FakeCopyStore, FakeReferenceIndex, FakeScheduleStore, FakeVersionToken, FakeWorkQueue

from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.maintenance.coldstart import Coldstarter
from schedules_pipeline.maintenance.collect_garbage import GarbageCollector
from schedules_pipeline.publishing import intake
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.intake import ScheduleIntake
from schedules_pipeline.publishing.ports.catalogue import CollectionCounts
from schedules_pipeline.publishing.publish import Publisher
from schedules_pipeline.publishing.rebuild import Rebuilder
from schedules_pipeline.publishing.resolve_programmes import ProgrammeResolver

Mutation = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """``noticed_in``: the scenario in which one stopped worker, or two, are enough to bring it to light."""

    name: str
    noticed_in: str
    mutate: Mutation


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


_UNREGISTER_ALL = "self._references.unregister({key: entries}, 10**9)"


def _collect_in_two_steps(copies: FakeCopyStore, pids: Sequence[Pid]) -> CollectionCounts:
    """What pipelined commands would do instead of a script."""
    superfluous = [pid for pid in pids if copies.is_superfluous(pid)]
    copies.conditions.checkpoint("looked at the dependants")
    gone = [copies.remove(pid) for pid in superfluous]
    return CollectionCounts(sum(copy for copy, _ in gone), sum(note for _, note in gone))


def _remove_with_fence(copies: FakeCopyStore, pid: Pid) -> tuple[int, int]:
    version_token = copies.fences.pop(pid, FakeVersionToken())
    return int(copies.copies.pop(pid, None) is not None), int(version_token.is_missed)


MUTANTS = (
    Mutant(
        "deletes the message before handling it",
        "item changes",
        _swapped(intake, "ingest", "taken = handle(messages)", "queue.delete(messages)"),
    ),
    Mutant(
        "marks before counting the source change",
        "first document",
        _swapped(
            ScheduleIntake,
            "_handle",
            "self._store.schedules.count_source_change(keys)",
            "self._store.work.mark(marks)",
        ),
    ),
    Mutant(
        "uses what was read before registering",
        "known item changes while it is taken up",
        _rewritten(ProgrammeResolver, "_register", ("self._forget(", "(lambda pids: None)(")),
    ),
    Mutant(
        "registers nothing",
        "item changes",
        _rewritten(
            ProgrammeResolver, "_register", ("self._store.references.register(fresh, self._token)", "pass")
        ),
    ),
    Mutant(
        "marks before storing",
        "item changes",
        _rewritten(
            CatalogueFollower,
            "follow",
            ("stored = ", "marked = self._propagate({pid: causes[pid] for pid in values})\n    stored = "),
            ("marked = self._propagate({pid: causes[pid] for pid in owed})", ""),
        ),
    ),
    Mutant(
        "settles before marking",
        "item changes",
        _swapped(
            CatalogueFollower,
            "follow",
            "marked = self._propagate({pid: causes[pid] for pid in owed})",
            "self._store.copies.acknowledge({pid: begun[pid].token for pid in owed})",
        ),
    ),
    Mutant(
        "unregisters before committing",
        "document changes back while it is built",
        _rewritten(
            Rebuilder,
            "_commit",
            ("now = self._clock()", "now = self._clock()\n    self._unregister(drafts, token)"),
        ),
    ),
    Mutant(
        "releases before building",
        "document is built",
        _rewritten(
            Publisher,
            "_build",
            (
                "try:\n        with",
                "self._store.work.release(claim, [work.key for work in claim.work])\n    try:\n        with",
            ),
        ),
    ),
    Mutant(
        "commits over newer tokens",
        "two build one schedule that changes back",
        _replaced(FakeScheduleStore, "is_overtaken", lambda *_: False),
    ),
    Mutant(
        "calls its own commit superseded when it is sent again",
        "document is built",
        _replaced(FakeScheduleStore, "is_repeated", lambda *_: False),
    ),
    Mutant(
        "purges without outdating whoever has read",
        "item changes unheard while it is planted, and everything is coldstarted",
        _replaced(Coldstarter, "_outdate_readers", lambda *_: None),
    ),
    Mutant(
        "purges without comparing the copies",
        "item changes unheard while nobody shows it, and everything is coldstarted",
        _replaced(Coldstarter, "_compare_copies", lambda *_: None),
    ),
    Mutant(
        "takes schedules off the list before building them",
        "document changes unheard, and everything is coldstarted",
        _rewritten(
            Coldstarter,
            "_build_next",
            ("self._book.pause_intake(LEASE_FOR)", "self._book.record_built(coldstart.id, keys, {})"),
        ),
    ),
    Mutant(
        "commits whatever has moved",
        "two build one schedule",
        _replaced(FakeScheduleStore, "has_moved", lambda *_: False),
    ),
    Mutant(
        "says that the latest source was seen",
        "document changes while it is built",
        _replaced(FakeScheduleStore, "mark_seen", lambda _, state, __: state.source_mark),
    ),
    Mutant(
        "forgets the outbox",
        "document changes while it is built",
        _replaced(FakeScheduleStore, "left_behind", lambda *_: {}),
    ),
    Mutant(
        "unregisters what was registered anew",
        "document changes back while it is built",
        _replaced(FakeReferenceIndex, "may_remove", lambda _, score, __: score is not None),
    ),
    Mutant(
        "stores over newer tokens",
        "item changes again",
        _replaced(FakeCopyStore, "is_fresh", lambda *_: True),
    ),
    Mutant(
        "plants over newer tokens",
        "item changes while it is planted for nobody",
        _replaced(FakeCopyStore, "may_plant", lambda *_: True),
    ),
    Mutant(
        "ignores what nobody refers to, though it is held",
        "item is shown again",
        _replaced(FakeCopyStore, "is_needed", lambda self, pid: self._references.has_dependants(pid)),
    ),
    Mutant(
        "ignores without a fence",
        "item changes while it is planted for nobody",
        _replaced(FakeCopyStore, "fence_of_ignored", lambda _, version_token: version_token.newest),
    ),
    Mutant(
        "records no token of an equal value",
        "item changes back",
        _replaced(FakeCopyStore, "fence_of_equal", lambda _, version_token, __: version_token.newest),
    ),
    Mutant("keeps no debts", "item changes", _replaced(FakeCopyStore, "owe", lambda *_: None)),
    Mutant(
        "owes nothing to who missed it",
        "missing item arrives with another schedule",
        _replaced(FakeCopyStore, "is_missed", lambda *_: False),
    ),
    Mutant(
        "settles newer debts",
        "two follow one item",
        _replaced(FakeCopyStore, "may_settle", lambda *_: True),
    ),
    Mutant(
        "collects copies that were looked at a step before",
        "copy is taken up while it is collected",
        _replaced(FakeCopyStore, "collect", _collect_in_two_steps),
    ),
    Mutant(
        "collects the fence with the copy",
        "copy is collected while its item is followed",
        _replaced(FakeCopyStore, "remove", _remove_with_fence),
    ),
    Mutant(
        "collects entries whatever their score",
        "entry is registered while entries are collected",
        _rewritten(
            GarbageCollector,
            "_collect_entries",
            ("self._references.unregister({key: entries}, held[key].token)", _UNREGISTER_ALL),
        ),
    ),
    Mutant(
        "forgets the state before the head",
        "schedule comes back while it is forgotten",
        _rewritten(
            GarbageCollector,
            "_forget",
            ("self._feed.forget_removals({", "_seqs = ({"),
            ("key not in still_there}", "True}"),
            (
                "return len(self._schedules.forget(tokens))",
                (
                    "gone = self._schedules.forget(tokens)\n"
                    "    self._feed.forget_removals(_seqs)\n"
                    "    return len(gone)"
                ),
            ),
        ),
    ),
    Mutant(
        "forgets what was announced since",
        "schedule is announced while it is forgotten",
        _replaced(FakeScheduleStore, "may_forget", lambda _, state, token: not state.etag),
    ),
    Mutant(
        "takes in what is past the horizon",
        "schedule passes the horizon",
        _rewritten(Rebuilder, "_fetch", ("if self._policy.horizon.keeps(key.date, now)", "")),
    ),
    Mutant(
        "expires without saying that the source has changed",
        "schedule passes the horizon",
        _rewritten(GarbageCollector, "_expire", ("self._schedules.count_source_change(batch)", "pass")),
    ),
    Mutant(
        "releases what others have claimed",
        "two build one schedule",
        _replaced(FakeWorkQueue, "is_holder", lambda self, _, key: key in self.tokens),
    ),
)
