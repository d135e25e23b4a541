"""Lets an operator accept a schedule document that was rejected because it has too few broadcasts.

The rejection stores the digest of the broadcasts that the operator confirms, and the build accepts exactly those.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from schedules_pipeline.documents.accepted_schedule import accept, parse_accepted
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ContentError
from schedules_pipeline.publishing.judge_source import Rejected, can_be_confirmed, judge_source
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.ports import PublishingSources, PublishingStore
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import SourceObject
from schedules_pipeline.publishing.publish import Publisher
from schedules_pipeline.publishing.rebuild import BatchResult


class CannotBeAccepted(ContentError):
    """The document cannot be confirmed; the message says why."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A document in the bucket, and the number of broadcasts that it would replace. ``lost``: the published
    broadcasts that it lacks.
    """

    key: ScheduleKey
    rejection: Rejection
    held_count: int
    new_count: int
    lost: tuple[Mapping[str, Any], ...]


class RejectedDocuments:
    def __init__(
        self,
        store: PublishingStore,
        sources: PublishingSources,
        publisher: Publisher,
        clock: Clock,
        policy: PublishingPolicy,
    ) -> None:
        self._store = store
        self._sources = sources
        self._publisher = publisher
        self._clock = clock
        self._policy = policy

    def propose(self, key: ScheduleKey) -> Proposal:
        """Fetch the document again and compare it with the published one. Changes nothing.

        Raises :class:`CannotBeAccepted` if it is not rejected, or rejected for another reason.
        """
        if not self._store.rejections.find([str(key)]):
            raise CannotBeAccepted(f"{key}: it has no rejected document")
        found, held = self._fetch(key), self._held(key)
        rejection = self._judge(key, found, len(held))
        new = accept(parse_source_document(key, found.content)).broadcast_pids
        return Proposal(key, rejection, len(held), len(new), self._lost(key, frozenset(new)))

    def accept(self, proposal: Proposal, cause: Cause) -> BatchResult:
        """Confirm the proposed document and build it now.

        Raises :class:`CannotBeAccepted` if the source has other broadcasts by now, or if a build that began earlier
        has rejected the document again.
        """
        key, digest = proposal.key, proposal.rejection.digest
        if self.propose(key).rejection.digest != digest:
            raise CannotBeAccepted(f"{key}: the source has another document by now; check it again")
        self._store.rejections.keep({str(key): replace(proposal.rejection, confirmed_digest=digest)})
        batch = self._publisher.rebuild_from_sources([key], cause)
        if not batch.failed and self._store.rejections.find([str(key)]):
            raise CannotBeAccepted(f"{key}: another build ran at the same time; accept it again")
        return batch

    def _fetch(self, key: ScheduleKey) -> SourceObject:
        found = self._sources.schedule_source.fetch([key])[key]
        if found is None:
            raise CannotBeAccepted(f"{key}: the source has no document any more, so the schedule is removed")
        if isinstance(found, Exception):
            raise found
        return found

    def _held(self, key: ScheduleKey) -> list[str]:
        accepted = self._store.schedules.read([key])[key].accepted
        return [] if accepted is None else list(parse_accepted(accepted).broadcast_pids)

    def _judge(self, key: ScheduleKey, found: SourceObject, held_count: int) -> Rejection:
        match judge_source(key, found, held_count, None, self._policy, self._clock()):
            case Rejected(rejection) if can_be_confirmed(rejection):
                return rejection
            case Rejected(rejection):
                raise CannotBeAccepted(
                    f"the document is invalid, so its owner must put another one: {rejection.reason}"
                )
            case _:
                raise CannotBeAccepted(f"{key}: its document is acceptable now; rebuild it")

    def _lost(self, key: ScheduleKey, kept: frozenset[str]) -> tuple[Mapping[str, Any], ...]:
        document = self._store.schedules.documents([key]).get(key)
        if document is None:
            return ()
        shown = orjson.loads(split_document(document)[1])
        return tuple(broadcast for broadcast in shown if broadcast["broadcast_pid"] not in kept)
