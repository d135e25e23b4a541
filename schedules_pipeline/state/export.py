"""Writes an export of the state to a bucket, and keeps the latest ones."""

from dataclasses import dataclass, replace
from datetime import datetime

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import ContentError
from schedules_pipeline.maintenance.ports import PassName, PassReport
from schedules_pipeline.maintenance.record_pass import recorded_pass
from schedules_pipeline.publishing.ports.catalogue import CatalogueSource
from schedules_pipeline.push.ports import FileStore, PushStore
from schedules_pipeline.state.document import StateDocument, parse_state, render_state
from schedules_pipeline.state.gather import gather_copies, gather_state


class StateLost(ContentError):
    """The keyspace has lost its partners, so an export would take the place of a good one."""


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """The exports of one keyspace in a bucket. ``prefix``: the beginning of every object's name. ``kept``: how many."""

    files: FileStore
    prefix: str
    kept: int

    def names(self) -> list[str]:
        """Oldest first."""
        return sorted(name for name in self.files.names(self.prefix) if name.endswith(".json"))

    def latest(self) -> str | None:
        return max(self.names(), default=None)

    def put(self, at: datetime, content: bytes) -> str:
        """Write an export, then remove old ones. Returns its name."""
        name = f"{self.prefix}{at:%Y%m%dT%H%M%SZ}.json"
        self.files.put(name, content, "application/json")
        for old in self.names()[: -self.kept]:
            self.files.delete(old)
        return name


@dataclass(frozen=True, slots=True)
class StateExporter:
    store: PushStore
    catalogue: CatalogueSource
    keyspace: str
    clock: Clock

    def gather(self) -> StateDocument:
        state = gather_state(self.store, self.keyspace, self.clock())
        return replace(state, copies=gather_copies(self.store, self.catalogue, state.schedules))

    def export_to(self, bucket: ExportFiles) -> PassReport:
        """Write an export and record the pass. Raises :class:`StateLost` if the keyspace was emptied, until an import
        restores it: otherwise exports of an empty keyspace would push out the good ones.
        """
        with recorded_pass(PassName.STATE_EXPORT, self.store.passes, self.clock) as record:
            state = self.gather()
            if not state.partners and not self.store.partners.was_ever_used():
                _require_no_partners(bucket)
            content = render_state(state)
            bucket.put(state.exported_at, content)
            return record({**count_parts(state), "bytes": len(content)})


def count_parts(state: StateDocument) -> dict[str, int]:
    names = ("partners", "subscriptions", "schedules", "copies")
    return {name: len(getattr(state, name)) for name in names}


def _require_no_partners(bucket: ExportFiles) -> None:
    latest = bucket.latest()
    content = None if latest is None else bucket.files.read(latest)
    if content is not None and (lost := len(parse_state(content).partners)):
        raise StateLost(
            f"the keyspace has lost its partners, and {latest} has {lost}: `schedules-pipeline state import` restores "
            "them"
        )
