"""``schedules-pipeline switch``: the keyspace that partners are served from, and changing it."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from schedules_pipeline.cli.answer import (
    Answer,
    Shown,
    answering,
    confirm,
    document_table,
    is_for_programs,
    line,
    members,
    print_shown,
)
from schedules_pipeline.cli.arguments import yes_option
from schedules_pipeline.cli.session import CommandExit, Session, login
from schedules_pipeline.migration.ports import ServedSource, ServedState, render_share
from schedules_pipeline.migration.switch import SwitchPlan

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group("switch")
def command() -> None:
    """Show or change the keyspace that partners are served from: the pipeline's (ours) or the old system's (legacy).

    Switching shows its effects and asks. It is rejected if the parity report has objections; --force overrides them and
    is recorded. Switching back to legacy is always possible.
    """


def _options(command: _Command) -> _Command:
    for option in (
        yes_option,
        click.option("--dry-run", is_flag=True, help="Only show the effects."),
        click.option("--reason", default="", metavar="TEXT", help="The reason; stored with the switch."),
        click.option("--by", default="", metavar="NAME", help="Who switches; the login by default."),
    ):
        command = option(command)
    return command


@command.command("ours")
@click.option("--force", is_flag=True, help="Switch in spite of objections.")
@_options
@answering
def ours(session: Session, *, force: bool, **options: Any) -> Answer:
    """Serve partners from the pipeline's keyspace."""
    return _switch(session, ServedSource.OURS, force=force, **options)


@command.command("legacy")
@_options
@answering
def legacy(session: Session, **options: Any) -> Answer:
    """Serve partners from the old system's keyspace again. Always possible."""
    return _switch(session, ServedSource.LEGACY, force=False, **options)


@command.command("status")
@answering
def status(session: Session) -> Answer:
    """Show the keyspace that partners are served from, and every switch so far."""
    served = session.pipeline.store.served
    current, switches = served.current(), served.switches()
    documents = [_fields(switch) for switch in switches]
    shown: list[Shown] = [line(f"partners are served from {current.source}", "bold")]
    rows = [
        {**document, "match": _match(switch)} for document, switch in zip(documents, switches, strict=True)
    ]
    columns = ("since", "source", "by", "match", "forced", "reason")
    shown.append(document_table(session, rows, *columns) if rows else "there was no switch so far")
    return Answer({"current": _fields(current), "switches": documents}, shown)


def _match(switch: ServedState) -> str:
    return "nothing compared" if switch.parity_share is None else render_share(switch.parity_share)


def _switch(
    session: Session, to: ServedSource, *, force: bool, by: str, reason: str, dry_run: bool, yes: bool
) -> Answer:
    switcher = session.pipeline.switcher
    plan = switcher.plan(to, force=force)
    if not is_for_programs():
        print_shown(_plan_shown(plan))
    if plan.is_needless:
        raise CommandExit(f"partners are served from {to} already: nothing to do")
    if plan.is_rejected:
        raise CommandExit(f"rejected: {'; '.join(plan.objections)}. --force overrides this, and is recorded")
    if dry_run:
        return Answer({"switched": False, **_plan_fields(plan)})
    confirm(f"Serve partners from {to}?", yes=yes)
    served = switcher.switch(plan, by or login() or "unknown", reason)
    done = f"partners are served from {to}: switch {served.number}, by {served.by}"
    document = {"switched": True, **_plan_fields(plan), "record": _fields(served)}
    return Answer(document, [line(done, "bold")])


def _plan_shown(plan: SwitchPlan) -> Iterator[Shown]:
    yield from plan.effects
    for objection in plan.objections:
        yield line(f"objection{', overridden by --force' if plan.forced else ''}: {objection}", "red")


def _plan_fields(plan: SwitchPlan) -> dict[str, object]:
    return {
        "from": plan.current.source,
        **members(plan, "to", "parity_share", "effects", "objections"),
        "forced": plan.forced and bool(plan.objections),
    }


def _fields(served: ServedState) -> dict[str, object]:
    return members(served, "number", "source", "since", "by", "reason", "parity_share", "forced")
