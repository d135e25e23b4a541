"""Fakes of the schedule store and of the published versions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from fakes.conditions import Conditions, Fake, answered, step
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.documents.stored_form import compress
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.schedules import (
    UNKNOWN_ETAG,
    Commit,
    CommitResult,
    Outcome,
    ScheduleState,
)
from schedules_pipeline.publishing.ports.versions import VERSIONS_LISTED

VERSIONS_KEPT = 50
_SENT_TOGETHER = 2


@dataclass(slots=True)
class _Kept:
    state: ScheduleState
    document: bytes | None = None
    outbox: dict[int, bytes] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)
    replaced: dict[int, bytes] = field(default_factory=dict)


class _Made:
    """Makes each only once, also if the client sends them again."""

    def __init__(self, coming: Iterable[Commit]) -> None:
        self._coming = iter(coming)
        self._made: list[Commit] = []

    def __iter__(self) -> Iterator[Commit]:
        yield from self._made
        for commit in self._coming:
            self._made.append(commit)
            yield commit


class FakeScheduleStore(Fake):
    """Implements :class:`ScheduleStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.kept: dict[ScheduleKey, _Kept] = {}

    @answered
    def count_source_change(self, keys: Sequence[ScheduleKey]) -> None:
        for key in self.in_any_order(keys):
            self._count_one(key)

    @answered
    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, ScheduleState]:
        found = {key: self._read_one(key) for key in self.in_any_order(keys)}
        return {key: found[key] for key in keys}

    def commit(self, commits: Iterable[Commit]) -> list[CommitResult]:
        return self._commit_made(_Made(commits))

    @answered
    def _commit_made(self, commits: Iterable[Commit]) -> list[CommitResult]:
        coming, results = iter(commits), list[CommitResult]()
        while made := {commit.key: commit for commit in islice(coming, _SENT_TOGETHER)}:
            done = {key: self._commit_one(made[key]) for key in self.in_any_order(made)}
            results += [done[key] for key in made]
        return results

    @answered
    def confirm_announced(self, seqs: Mapping[ScheduleKey, int]) -> None:
        for key in self.in_any_order(seqs):
            self._announced_one(key, seqs[key])

    @answered
    def documents(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        found = {key: self._document_one(key) for key in keys}
        return {key: document for key, document in found.items() if document is not None}

    def frames(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        return {key: compress(document) for key, document in self.documents(keys).items()}

    def stored_keys(self) -> Iterator[list[ScheduleKey]]:
        self.conditions.checkpoint("stored_keys")
        yield sorted(self.kept)

    @answered
    def invalidate(self, seqs: Mapping[ScheduleKey, int], token: int) -> None:
        for key in self.in_any_order(seqs):
            self._invalidate_one(key, seqs[key], token)

    @answered
    def restore(self, sources: Mapping[ScheduleKey, tuple[bytes, bytes]], token: int) -> None:
        for key in self.in_any_order(sources):
            self._restore_one(key, sources[key], token)

    @answered
    def forget(self, tokens: Mapping[ScheduleKey, int]) -> set[ScheduleKey]:
        return {key for key in self.in_any_order(tokens) if self._forget_one(key, tokens[key])}

    def lose_state(self, key: ScheduleKey) -> None:
        """A failover may lose the state and keep the document."""
        lost = self.kept.pop(key)
        self.kept[key] = _Kept(ScheduleState(key), lost.document)

    @step
    def _count_one(self, key: ScheduleKey) -> None:
        kept = self._keep(key)
        kept.state = replace(kept.state, source_mark=kept.state.source_mark + 1)

    @step
    def _read_one(self, key: ScheduleKey) -> ScheduleState:
        return self.kept[key].state if key in self.kept else ScheduleState(key)

    @step
    def _commit_one(self, commit: Commit) -> CommitResult:
        kept = self._keep(commit.key)
        if self.is_repeated(kept.state, commit):
            was_published = kept.state.seq == commit.change.seq
            outcome = Outcome.PUBLISHED if was_published else Outcome.UNCHANGED
            return CommitResult(outcome, kept.state.seq, tuple(sorted(kept.outbox.items())))
        if self.is_overtaken(kept.state, commit):
            return CommitResult(Outcome.SUPERSEDED, kept.state.seq)
        if self.has_moved(kept.state, commit):
            return CommitResult(Outcome.MOVED, kept.state.seq)
        outcome, seq = Outcome.UNCHANGED, kept.state.seq
        if kept.state.etag != commit.etag or bool(commit.etag) != (kept.document is not None):
            outcome, seq = Outcome.PUBLISHED, commit.change.seq
            if kept.document is not None:
                kept.replaced = {kept.state.seq: kept.document, **kept.replaced}
                kept.replaced = dict(islice(kept.replaced.items(), VERSIONS_KEPT))
            kept.document = commit.document if commit.etag else None
            kept.outbox = {**self.left_behind(kept), seq: render_row(commit.change)}
            kept.history.insert(0, commit.change)
        accepted = (commit.accepted or None) if commit.accepted_is_new else kept.state.accepted
        kept.state = replace(
            kept.state,
            committed_token=commit.token,
            seq=seq,
            etag=commit.etag,
            seen_mark=self.mark_seen(kept.state, commit),
            accepted=accepted,
            covered=commit.covered if commit.accepted_is_new else kept.state.covered,
            ancestors=commit.ancestors,
        )
        return CommitResult(outcome, seq, tuple(sorted(kept.outbox.items())))

    @step
    def _announced_one(self, key: ScheduleKey, seq: int) -> None:
        outbox = self._keep(key).outbox
        for known in [known for known in outbox if known <= seq]:
            del outbox[known]

    @step
    def _document_one(self, key: ScheduleKey) -> bytes | None:
        return self.kept[key].document if key in self.kept else None

    @step
    def _invalidate_one(self, key: ScheduleKey, seq: int, token: int) -> None:
        kept = self._keep(key)
        if token > kept.state.committed_token:
            kept.state = replace(
                kept.state, committed_token=token, etag=UNKNOWN_ETAG, seq=max(seq, kept.state.seq)
            )

    @step
    def _restore_one(self, key: ScheduleKey, source: tuple[bytes, bytes], token: int) -> None:
        kept = self._keep(key)
        if token > kept.state.committed_token:
            mark, (accepted, covered) = kept.state.source_mark + 1, source
            kept.state = replace(
                kept.state, committed_token=token, source_mark=mark, accepted=accepted, covered=covered
            )

    @step
    def _forget_one(self, key: ScheduleKey, token: int) -> bool:
        kept = self.kept.get(key)
        if kept is None or not self.may_forget(kept.state, token) or kept.outbox:
            return False
        del self.kept[key]
        return True

    def may_forget(self, state: ScheduleState, token: int) -> bool:
        """Whether partners see nothing, and the state is unchanged since it was read."""
        return not state.etag and state.committed_token == token and not state.must_fetch

    def is_repeated(self, state: ScheduleState, commit: Commit) -> bool:
        """Whether this commit took effect before and is repeated."""
        return state.committed_token == commit.token

    def is_overtaken(self, state: ScheduleState, commit: Commit) -> bool:
        """Whether a build that began later has committed."""
        return state.committed_token >= commit.token

    def has_moved(self, state: ScheduleState, commit: Commit) -> bool:
        """Whether another build has committed since this one read its state."""
        return state.committed_token != commit.read_token

    def mark_seen(self, state: ScheduleState, commit: Commit) -> int:
        """The mark that the build read, not the current one."""
        return commit.seen_mark

    def left_behind(self, kept: _Kept) -> Mapping[int, bytes]:
        """Rows of earlier commits that the feed may lack."""
        return kept.outbox

    def _keep(self, key: ScheduleKey) -> _Kept:
        return self.kept.setdefault(key, _Kept(ScheduleState(key)))


class FakeVersionStore(Fake):
    """Implements :class:`VersionStore`; nothing expires by time."""

    def __init__(self, conditions: Conditions, schedules: FakeScheduleStore) -> None:
        super().__init__(conditions)
        self._schedules = schedules

    @answered
    @step
    def versions(self, key: ScheduleKey) -> list[Change]:
        kept = self._schedules.kept.get(key)
        return [] if kept is None else kept.history[:VERSIONS_LISTED]

    @answered
    @step
    def document(self, key: ScheduleKey, seq: int) -> bytes | None:
        kept = self._schedules.kept.get(key)
        if kept is None:
            return None
        return kept.document if kept.state.seq == seq else kept.replaced.get(seq)

    @answered
    @step
    def replaced(self, key: ScheduleKey, seq: int) -> bytes | None:
        kept = self._schedules.kept.get(key)
        return None if kept is None else kept.replaced.get(seq)

    def compact(self, keys: Iterable[ScheduleKey]) -> None:
        """Compaction has no visible effect."""
