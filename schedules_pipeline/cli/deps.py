"""``schedules-pipeline deps``: from a schedule to its catalogue items, and from a pid to its dependants."""

from collections.abc import Iterator
from dataclasses import dataclass

import click

from schedules_pipeline.cli.answer import Answer, Shown, answering, table
from schedules_pipeline.cli.arguments import not_found, take_only_key
from schedules_pipeline.cli.session import CommandExit, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.documents.accepted_schedule import parse_accepted
from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, is_pid


@dataclass(frozen=True, slots=True)
class _Item:
    """One dependency; ``item`` is None if the catalogue lacks it. An ancestor has no broadcasts."""

    pid: Pid
    item: CatalogueItem | None
    broadcast_pids: tuple[Pid, ...] = ()

    def fields(self) -> dict[str, object]:
        return {
            "pid": self.pid,
            "known": self.item is not None,
            "kind": self.item.kind.value if self.item else None,
            "title": self.item.title if self.item else None,
            "parent_pid": self.item.parent_pid if self.item else None,
        }

    def cells(self) -> list[str]:
        if self.item is None:
            return ["MISSING", self.pid, "", ""]
        return [self.item.kind, self.pid, self.item.title, self.item.parent_pid or ""]


@click.command("deps")
@click.argument("words", nargs=-1, metavar="SID DATE | PID")
@answering
def command(session: Session, words: tuple[str, ...]) -> Answer:
    """Show what a schedule depends on: its episodes, and their series and brands, known or missing.

    Given a pid, show the schedules that depend on it, and their broadcasts of it.
    """
    if len(words) == 1 and is_pid(words[0]):
        return _dependants(session.pipeline, Pid(words[0]))
    if len(words) == 1 and "/" not in words[0]:
        raise click.UsageError(
            f"{words[0]!r} is neither a pid (digits and consonants, 8 to 32 of them) nor a schedule (SID DATE)"
        )
    key = take_only_key(words)
    items = _dependencies(session.pipeline, key)
    document = [{**item.fields(), "broadcast_pids": list(item.broadcast_pids)} for item in items]
    missing = sum(item.item is None for item in items)
    rows = [[*item.cells(), " ".join(item.broadcast_pids) or "(ancestor)"] for item in items]
    return Answer(
        {"schedule": str(key), "items": document},
        [
            f"{key} depends on {counted(len(items), 'item')}, of which {missing} missing",
            table(["kind", "pid", "title", "parent", "shown by"], rows),
        ],
    )


def _dependencies(pipeline: Pipeline, key: ScheduleKey) -> list[_Item]:
    state = pipeline.store.schedules.read([key])[key]
    if state.accepted is None:
        raise not_found(key, pipeline.store.feed.heads())
    broadcasts: dict[Pid, list[Pid]] = {}
    for mention in parse_accepted(state.accepted).shown():
        broadcasts.setdefault(mention.episode_pid, []).append(mention.broadcast_pid)
    pids = [*broadcasts, *sorted(state.ancestors - broadcasts.keys())]
    copies = pipeline.store.copies.read(pids)
    return [_Item(pid, _parse(pid, copies.get(pid)), tuple(broadcasts.get(pid, ()))) for pid in pids]


def _parse(pid: Pid, copy: bytes | None) -> CatalogueItem | None:
    return None if copy is None else parse_copy(pid, copy)


def _dependants(pipeline: Pipeline, pid: Pid) -> Answer:
    found = pipeline.store.references.references([pid])[pid]
    references = sorted(found, key=lambda reference: (*reference.key, reference.broadcast_pid or ""))
    item = _Item(pid, _parse(pid, pipeline.store.copies.read([pid]).get(pid)))
    if item.item is None and not references:
        raise CommandExit(f"{pid}: nothing depends on it, and there is no copy of it")
    dependants = [{"schedule": str(r.key), "broadcast_pid": r.broadcast_pid} for r in references]
    return Answer({**item.fields(), "dependants": dependants}, _dependants_shown(item, references))


def _dependants_shown(item: _Item, references: list[Reference]) -> Iterator[Shown]:
    kind, pid, title, parent = item.cells()
    yield f"{pid}  {kind} {title!r}{f', below {parent}' if parent else ''}"
    schedules = len({reference.key for reference in references})
    yield f"{counted(schedules, 'schedule')} depend{'s' if schedules == 1 else ''} on it"
    rows = [[r.key, r.broadcast_pid or "(as an ancestor)"] for r in references]
    yield table(["schedule", "broadcast"], rows)
