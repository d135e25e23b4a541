"""``schedules-pipeline deps``: from a schedule to what it is made of, and from a pid to what is made of it."""

from dataclasses import dataclass

import click

from schedules_pipeline.cli.arguments import not_found, take_only_key
from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.cli.printing import json_option, print_json, print_table, say
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.documents.accepted_schedule import parse_accepted
from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, is_pid


@dataclass(frozen=True, slots=True)
class _Item:
    """One dependency; ``item`` is None where the catalogue lacks it. Of an ancestor there are no broadcasts."""

    pid: Pid
    item: CatalogueItem | None
    broadcast_pids: tuple[Pid, ...]


@click.command("deps", short_help="Show what a schedule depends on, or what depends on a pid.")
@click.argument("words", nargs=-1, metavar="SID DATE | PID")
@json_option
@pass_session
def command(session: Session, words: tuple[str, ...], as_json: bool) -> None:
    """Show what a schedule depends on: its episodes, and their series and brands, known or missing.

    Given a pid: the schedules that depend on it, and the broadcasts that show it.
    """
    if len(words) == 1 and is_pid(words[0]):
        pid = Pid(words[0])
        _show_dependants(session.pipeline, pid, as_json=as_json)
    elif len(words) == 1 and "/" not in words[0]:
        raise click.UsageError(
            f"{words[0]!r} is neither a pid (digits and consonants, 8 to 32 of them) nor a schedule (SID DATE)"
        )
    else:
        _show_dependencies(session.pipeline, take_only_key(words), as_json=as_json)


def _show_dependencies(pipeline: Pipeline, key: ScheduleKey, *, as_json: bool) -> None:
    items = _dependencies(pipeline, key)
    if as_json:
        print_json({"schedule": str(key), "items": [_as_fields(item) for item in items]})
        return
    missing = sum(item.item is None for item in items)
    say(f"{key} depends on {counted(len(items), 'item')}, of which {missing} missing")
    print_table(
        ["kind", "pid", "title", "parent", "shown by"],
        [[*_kind_pid_title_parent(i.pid, i.item), " ".join(i.broadcast_pids) or "(ancestor)"] for i in items],
    )


def _dependencies(pipeline: Pipeline, key: ScheduleKey) -> list[_Item]:
    state = pipeline.store.schedules.read([key])[key]
    if state.accepted is None:
        raise not_found(key, pipeline.store.feed.heads())
    shown_by: dict[Pid, list[Pid]] = {}
    for mention in parse_accepted(state.accepted).shown():
        shown_by.setdefault(mention.episode_pid, []).append(mention.broadcast_pid)
    pids = [*shown_by, *sorted(state.ancestors - shown_by.keys())]
    copies = pipeline.store.copies.read(pids)
    return [
        _Item(pid, parse_copy(pid, copies[pid]) if pid in copies else None, tuple(shown_by.get(pid, ())))
        for pid in pids
    ]


def _as_fields(item: _Item) -> dict[str, object]:
    return {**_item_fields(item.pid, item.item), "broadcast_pids": list(item.broadcast_pids)}


def _show_dependants(pipeline: Pipeline, pid: Pid, *, as_json: bool) -> None:
    references = pipeline.store.references.references([pid])[pid]
    copy = pipeline.store.copies.read([pid]).get(pid)
    item = None if copy is None else parse_copy(pid, copy)
    if item is None and not references:
        raise CommandExit(f"{pid}: nothing depends on it, and there is no copy of it")
    references = sorted(references, key=lambda reference: (*reference.key, reference.broadcast_pid or ""))
    schedules = len({reference.key for reference in references})
    if as_json:
        print_json({**_item_fields(pid, item), "dependants": [_reference_fields(r) for r in references]})
        return
    kind, _, title, parent = _kind_pid_title_parent(pid, item)
    say(f"{pid}  {kind} {title!r}{f', below {parent}' if parent else ''}")
    say(f"{counted(schedules, 'schedule')} depend{'s' if schedules == 1 else ''} on it")
    print_table(
        ["schedule", "broadcast"], [[r.key, r.broadcast_pid or "(as an ancestor)"] for r in references]
    )


def _kind_pid_title_parent(pid: Pid, item: CatalogueItem | None) -> list[str]:
    if item is None:
        return ["MISSING", pid, "", ""]
    return [item.kind, pid, item.title, item.parent_pid or ""]


def _item_fields(pid: Pid, item: CatalogueItem | None) -> dict[str, object]:
    return {
        "pid": pid,
        "known": item is not None,
        "kind": item.kind.value if item else None,
        "title": item.title if item else None,
        "parent_pid": item.parent_pid if item else None,
    }


def _reference_fields(reference: Reference) -> dict[str, object]:
    return {"schedule": str(reference.key), "broadcast_pid": reference.broadcast_pid}
