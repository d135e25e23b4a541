"""What the store knows of a schedule beside its document: its versions, and what operators must know. Blocking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from schedules_pipeline.delivery.guide.feed_rows import find_row
from schedules_pipeline.delivery.guide.versions import KeptVersions
from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.delivery.problems import NOT_FOUND, Problem
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.migration.ports import Comparison
from schedules_pipeline.publishing.ports.expectations import ExpectedRange, Measure
from schedules_pipeline.publishing.ports.losses import NO_STANDING, Standing
from schedules_pipeline.push.ports import PushStore


@dataclass(frozen=True, slots=True)
class Origins:
    """``versions``: the latest, the newest first; None if the store does not answer. The rest is for operators: the
    hold, the comparison with the old system, what was unusable in the source document, and the expected ranges.
    """

    versions: Sequence[Change] | None
    losses: Standing = NO_STANDING
    comparison: Comparison | None = None
    unusable: str = ""
    ranges: Mapping[Measure, ExpectedRange] | None = None


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What this process has in memory: the ``latest`` version of a schedule, and the ``epoch`` of the keyspace."""

    latest: MirroredSchedule | None
    epoch: str


WAYS: Final = "ways"
"""The member of a problem with the pages to which it leads: labels and addresses."""

NO_ORIGINS: Final = Origins(None)


def read_origins(store: PushStore, key: ScheduleKey, *, for_operator: bool) -> Origins:
    try:
        versions = store.versions.versions(key)
        if not for_operator:
            return Origins(versions)
        expectation = store.expectations.read([key.sid]).get(key.sid)
        return Origins(
            versions,
            store.losses.find([key]).get(key, NO_STANDING),
            store.comparisons.find([key]).get(key),
            store.quarantined_broadcasts.find([key]).get(key, ""),
            expectation.ranges(key.date) if expectation else None,
        )
    except ServiceError:
        return NO_ORIGINS


def read_versions(
    store: PushStore,
    key: ScheduleKey,
    mirrored: Mirrored,
    before: int | None,
    after: int | None,
) -> KeptVersions:
    """By default the latest version and the one before it. Raises :class:`Problem` (404) for a version that is not
    listed, and :class:`ServiceError`.
    """
    listed = store.versions.versions(key)
    if not listed:
        raise Problem(NOT_FOUND, f"No version of {key} is known.")
    later = listed[0].seq if after is None else after
    earlier = later - 1 if before is None else before
    kept = KeptVersions(listed, earlier, later)
    for seq in (later, earlier):
        if seq not in (0, listed[-1].seq - 1) and kept.version(seq) is None:
            known = f"{listed[-1].seq} to {listed[0].seq}"
            detail = f"There is no version {seq} of {key}: {known} are listed."
            raise Problem(NOT_FOUND, detail, {WAYS: [("The latest version", f"/guide/{key}/versions")]})
    version = kept.version(later)
    return replace(
        kept,
        earlier=_document(store, mirrored.latest, kept, earlier),
        later=_document(store, mirrored.latest, kept, later),
        row=find_row(store.feed, mirrored.epoch, version) if version else None,
    )


def _document(
    store: PushStore, latest: MirroredSchedule | None, kept: KeptVersions, seq: int
) -> bytes | None:
    """``latest``: as this process has it."""
    version = kept.version(seq)
    if seq == 0 or (version is not None and version.is_removal):
        return b""
    if latest is not None and latest.seq == seq:
        return latest.document()
    return store.versions.replaced(kept.listed[0].key, seq)
