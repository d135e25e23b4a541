"""The real code with one ordering or one guard removed each, to show that the simulation notices.

Does not belong here: how the code is changed (``seams``), and how the change is noticed (``test_mutants``).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest
from fakes import (
    FakeChangeFeed,
    FakeColdstartStore,
    FakeCopyStore,
    FakeQuarantinedBroadcastStore,
    FakeReferenceIndex,
    FakeRejectionStore,
    FakeScheduleStore,
    FakeTokens,
    FakeWorkQueue,
)
from simulation.seams import Mutant, all_of, delayed, preceded, replaced, with_policy, within

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.coldstart import Coldstarter
from schedules_pipeline.maintenance.collect_garbage import GarbageCollector
from schedules_pipeline.publishing import follow_catalogue, intake, resolve_programmes
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower, FollowResult
from schedules_pipeline.publishing.intake import IngestResult, ScheduleIntake
from schedules_pipeline.publishing.ports.catalogue import CollectionCounts
from schedules_pipeline.publishing.ports.schedules import Commit, CommitResult, Outcome
from schedules_pipeline.publishing.ports.upstream import Message, NotificationQueue
from schedules_pipeline.publishing.publish import Publisher
from schedules_pipeline.publishing.rebuild import Rebuilder
from schedules_pipeline.publishing.resolve_programmes import ProgrammeResolver


def _delete_before_handling(
    queue: NotificationQueue, handle: Callable[[Sequence[Message]], IngestResult], wait_seconds: int
) -> IngestResult:
    messages = queue.receive(wait_seconds)
    if not messages:
        return IngestResult()
    queue.delete(messages)
    return handle(messages)


def _mark_before_storing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dependants are marked once the documents are read, and not again after the copies are stored."""
    following: ContextVar[Mapping[Pid, Cause] | None] = ContextVar("following", default=None)
    follow, project = CatalogueFollower.follow, CatalogueFollower._project
    propagate = CatalogueFollower._propagate

    def remember(follower: CatalogueFollower, causes: Mapping[Pid, Cause]) -> FollowResult:
        token = following.set(causes)
        try:
            return follow(follower, causes)
        finally:
            following.reset(token)

    def project_and_mark(follower: CatalogueFollower, documents: Mapping[Pid, bytes]) -> Any:
        projected = project(follower, documents)
        causes = following.get() or {}
        propagate(follower, {pid: causes[pid] for pid in projected.values if pid in causes})
        return projected

    monkeypatch.setattr(CatalogueFollower, "follow", remember)
    monkeypatch.setattr(CatalogueFollower, "_project", project_and_mark)
    monkeypatch.setattr(CatalogueFollower, "_propagate", lambda *_: (0, 0))


def _register_and_keep(resolver: ProgrammeResolver, entries: Mapping[ScheduleKey, Sequence[Entry]]) -> None:
    """Items that were read before stay in memory."""
    resolver._store.references.register(entries, resolver._token)
    resolver._sourced -= {entry.pid for wanted in entries.values() for entry in wanted}


def _take_off_the_list(next_keys: Callable[..., Any], coldstarts: FakeColdstartStore, *args: Any) -> Any:
    keys = next_keys(coldstarts, *args)
    if keys:
        coldstarts.record_built(args[0], keys, {})
    return keys


def _commit_without_errors(schedules: FakeScheduleStore, commits: Iterable[Commit]) -> list[CommitResult]:
    """What no reply tells is taken for done."""
    results = []
    for commit in commits:
        result = CommitResult(Outcome.UNCHANGED, 0)
        with suppress(ServiceError):
            result = schedules._commit_one(commit)
        results.append(result)
    return results


def _collect_in_two_steps(copies: FakeCopyStore, pids: Sequence[Pid]) -> CollectionCounts:
    """Pipelined commands instead of one script."""
    superfluous = [pid for pid in pids if copies.is_superfluous(pid)]
    copies.conditions.checkpoint("checked the dependants")
    gone = [copies.remove(pid) for pid in superfluous]
    return CollectionCounts(sum(copy for copy, _ in gone), sum(note for _, note in gone))


def _remove_with_tokens(copies: FakeCopyStore, pid: Pid) -> tuple[int, int]:
    known = copies.tokens.pop(pid, FakeTokens())
    return int(copies.copies.pop(pid, None) is not None), int(known.is_absence_recorded)


_judge_again = Rebuilder._judge_again

MUTANTS = (
    Mutant(
        "deletes the message before handling it",
        "item changes",
        replaced(intake, "ingest", _delete_before_handling),
    ),
    Mutant(
        "marks before counting the source change",
        "first document",
        delayed(
            (ScheduleIntake, "handle"),
            (FakeScheduleStore, "count_source_change"),
            (FakeWorkQueue, "mark"),
        ),
    ),
    Mutant(
        "uses what was read before registering",
        "known item changes while a schedule begins to show it",
        replaced(ProgrammeResolver, "_register", _register_and_keep),
    ),
    Mutant(
        "registers nothing",
        "item changes",
        replaced(FakeReferenceIndex, "register", lambda *_: None),
    ),
    Mutant(
        "marks before storing",
        "item changes",
        _mark_before_storing,
    ),
    Mutant(
        "acknowledges before marking",
        "item changes",
        delayed((CatalogueFollower, "follow"), (FakeWorkQueue, "mark"), (FakeCopyStore, "acknowledge")),
    ),
    Mutant(
        "unregisters before committing",
        "document changes back while it is built",
        preceded(
            Rebuilder,
            "_commit",
            lambda self, drafts, this, resolved: self._unregister(drafts, resolved, this.token),
        ),
    ),
    Mutant(
        "releases before building",
        "document is built",
        preceded(
            Publisher,
            "_build",
            lambda self, claim, **_: self._store.work.release(claim, [work.key for work in claim.work]),
        ),
    ),
    Mutant(
        "registers after committing",
        "known item changes while a schedule begins to show it",
        delayed((Rebuilder, "build"), (FakeReferenceIndex, "register"), (FakeScheduleStore, "commit")),
    ),
    Mutant(
        "loses the error of a commit that was sent before the last",
        "two documents are built in one batch",
        replaced(FakeScheduleStore, "commit", _commit_without_errors),
    ),
    Mutant(
        "releases a batch of which a commit has failed",
        "two documents are built in one batch",
        replaced(
            Publisher,
            "_retry_soon",
            lambda self, claim, failed: self._store.work.release(claim, list(failed)),
        ),
    ),
    Mutant(
        "commits over newer tokens",
        "two build one schedule that changes back",
        replaced(FakeScheduleStore, "is_overtaken", lambda *_: False),
    ),
    Mutant(
        "calls its own commit superseded when it is sent again",
        "changed item is built",
        replaced(FakeScheduleStore, "is_repeated", lambda *_: False),
    ),
    Mutant(
        "purges without invalidating tokens",
        "item changes unannounced while it is inserted, and everything is coldstarted",
        replaced(Coldstarter, "_invalidate_tokens", lambda *_: None),
    ),
    Mutant(
        "purges without comparing the copies",
        "item changes unannounced while no schedule shows it, and everything is coldstarted",
        replaced(Coldstarter, "_compare_copies", lambda *_: None),
    ),
    Mutant(
        "takes schedules off the list before building them",
        "document changes unannounced, and everything is coldstarted",
        within((Coldstarter, "_build_next"), (FakeColdstartStore, "next_keys"), _take_off_the_list),
    ),
    Mutant(
        "commits on a state that has moved",
        "two build one schedule",
        replaced(FakeScheduleStore, "has_moved", lambda *_: False),
    ),
    Mutant(
        "records the latest source mark as seen",
        "document changes while it is built",
        replaced(FakeScheduleStore, "mark_seen", lambda _, state, __: state.source_mark),
    ),
    Mutant(
        "forgets the outbox",
        "document changes while it is built",
        replaced(FakeScheduleStore, "left_behind", lambda *_: {}),
    ),
    Mutant(
        "unregisters entries that were registered again",
        "document changes back while it is built",
        replaced(FakeReferenceIndex, "may_remove", lambda _, score, __: score is not None),
    ),
    Mutant(
        "stores over newer tokens",
        "item changes again",
        replaced(FakeCopyStore, "is_fresh", lambda *_: True),
    ),
    Mutant(
        "inserts over newer tokens",
        "item changes while it is inserted for nobody",
        replaced(FakeCopyStore, "may_insert", lambda *_: True),
    ),
    Mutant(
        "ignores an item with a copy but no dependants",
        "item is shown again",
        replaced(FakeCopyStore, "is_needed", lambda self, pid: self._references.has_dependants(pid)),
    ),
    Mutant(
        "ignores without recording its token",
        "item changes while it is inserted for nobody",
        replaced(FakeCopyStore, "newest_after_ignored", lambda _, known: known.newest),
    ),
    Mutant(
        "records no token of an equal value",
        "item changes back",
        replaced(FakeCopyStore, "newest_after_equal", lambda _, known, __: known.newest),
    ),
    Mutant(
        "restates a copy that means something else",
        "item changes",
        replaced(follow_catalogue, "_restated", lambda _, copy, __: copy or b""),
    ),
    Mutant(
        "restates whatever copy is there by now",
        "item changes and changes back while a copy of an older release is followed",
        replaced(FakeCopyStore, "is_restated", lambda _, copy, update: bool(copy and update.same_as)),
    ),
    Mutant(
        "uses a copy of an older release without rereading it",
        "item changes unannounced before a copy of an older release is reread",
        replaced(resolve_programmes, "is_outdated", lambda _: False),
    ),
    Mutant(
        "rereads without marking first",
        "item changes unannounced before a copy of an older release is reread",
        within(
            (CatalogueFollower, "reread"),
            (CatalogueFollower, "read_source"),
            lambda *_: {},
        ),
    ),
    Mutant(
        "keeps no pending propagation",
        "item changes",
        replaced(FakeCopyStore, "make_pending", lambda *_: None),
    ),
    Mutant(
        "forgets a recorded absence",
        "missing item arrives with another schedule",
        replaced(FakeCopyStore, "is_absence_recorded", lambda *_: False),
    ),
    Mutant(
        "acknowledges newer propagations",
        "two follow one item",
        replaced(FakeCopyStore, "may_acknowledge", lambda *_: True),
    ),
    Mutant(
        "collects copies that were checked a step before",
        "copy is used again while it is collected",
        replaced(FakeCopyStore, "collect", _collect_in_two_steps),
    ),
    Mutant(
        "collects the tokens with the copy",
        "copy is collected while its item is followed",
        replaced(FakeCopyStore, "remove", _remove_with_tokens),
    ),
    Mutant(
        "collects entries with any score",
        "entry is registered while entries are collected",
        within(
            (GarbageCollector, "_collect_entries"),
            (FakeReferenceIndex, "unregister"),
            lambda unregister, index, entries, _: unregister(index, entries, 10**9),
        ),
    ),
    Mutant(
        "forgets the state before the head",
        "schedule comes back while it is forgotten",
        all_of(
            delayed(
                (GarbageCollector, "_forget"),
                (FakeChangeFeed, "forget_removals"),
                (FakeScheduleStore, "forget"),
            ),
            within((GarbageCollector, "_forget"), (FakeChangeFeed, "heads_of"), lambda *_: {}),
        ),
    ),
    Mutant(
        "forgets schedules that were announced since",
        "schedule is announced while it is forgotten",
        replaced(FakeScheduleStore, "may_forget", lambda _, state, token: not state.etag),
    ),
    Mutant(
        "ingests schedules past the horizon",
        "schedule passes the horizon",
        with_policy(Rebuilder, horizon=KEEPS_EVERYTHING),
    ),
    Mutant(
        "expires without counting a source change",
        "schedule passes the horizon",
        within((GarbageCollector, "_expire"), (FakeScheduleStore, "count_source_change"), lambda *_: None),
    ),
    Mutant(
        "releases schedules that others have claimed",
        "two build one schedule",
        replaced(FakeWorkQueue, "is_holder", lambda self, _, key: key in self.tokens),
    ),
    Mutant(
        "ends a rejection after the commit",
        "document is put right",
        delayed((Rebuilder, "_commit"), (FakeRejectionStore, "forget"), (FakeScheduleStore, "commit")),
    ),
    Mutant(
        "records a quarantine after the commit",
        "document goes with its quarantine",
        delayed(
            (Rebuilder, "_commit"), (FakeQuarantinedBroadcastStore, "keep"), (FakeScheduleStore, "commit")
        ),
    ),
    Mutant(
        "judges no document again of a build that was superseded",
        "document is put right while it is rejected",
        replaced(Rebuilder, "_judge_again", lambda self, moved, _: _judge_again(self, moved, ())),
    ),
    Mutant(
        "judges no document again of a build that has moved",
        "two build one schedule that is put right",
        replaced(Rebuilder, "_judge_again", lambda self, _, superseded: _judge_again(self, (), superseded)),
    ),
)
