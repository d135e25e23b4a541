"""``schedules-pipeline switch``: from which keyspace partners are served, and changing it."""

import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.cli.printing import confirm, json_option, print_json, print_table, say, yes_option
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import local, yes_no
from schedules_pipeline.migration.ports.parity import render_share
from schedules_pipeline.migration.ports.served import ServedSource, ServedState

if TYPE_CHECKING:
    from schedules_pipeline.migration.switch import SwitchPlan

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group("switch", short_help="From which keyspace partners are served, and changing it.")
def command() -> None:
    """Show or change from which keyspace partners are served: ours, or the old system's (legacy).

    Switching says what it will do, and asks. It refuses while anything speaks against it; --force overrides
    that, and is recorded. Switching back to legacy is never refused.
    """


def _options(function: _Command) -> _Command:
    """What both directions take."""
    made: Any = function
    for option in (
        click.option("--by", default="", metavar="NAME", help="Who switches; your login if left out."),
        click.option("--reason", default="", metavar="TEXT", help="Why; kept with the record."),
        click.option("--dry-run", is_flag=True, help="Only say what it would do."),
        yes_option,
        json_option,
        pass_session,
    ):
        made = option(made)
    return cast("_Command", made)


@command.command("ours")
@click.option("--force", is_flag=True, help="Go ahead whatever speaks against it.")
@_options
def ours(session: Session, *, force: bool, **options: Any) -> None:
    """Serve partners from our keyspace."""
    _switch(session, ServedSource.OURS, force=force, **options)


@command.command("legacy")
@_options
def legacy(session: Session, **options: Any) -> None:
    """Serve partners from the old system's keyspace again. Never refused."""
    _switch(session, ServedSource.LEGACY, force=False, **options)


@command.command("status")
@json_option
@pass_session
def status(session: Session, as_json: bool) -> None:
    """Show from where partners are served, and every switch so far."""
    book = session.pipeline.store.served
    current, switches = book.current(), book.switches()
    if as_json:
        print_json({"current": _fields(current), "switches": [_fields(switch) for switch in switches]})
        return
    say(f"partners are served from {current.source}", "bold")
    if not switches:
        say("nobody has ever switched")
        return
    zone = session.pipeline.calendar.zone
    print_table(
        ["when", "to", "by", "match", "forced", "reason"],
        [
            [
                "" if s.since is None else local(s.since, zone),
                s.source,
                s.by,
                "nothing compared" if s.parity_share is None else render_share(s.parity_share),
                yes_no(s.forced),
                s.reason,
            ]
            for s in switches
        ],
    )


def _switch(
    session: Session,
    to: ServedSource,
    *,
    force: bool,
    by: str,
    reason: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    switcher = session.pipeline.switcher
    plan = switcher.plan(to, force=force)
    if not as_json:
        _print_plan(plan)
    if plan.is_needless:
        raise CommandExit(f"partners are served from {to} already: nothing to do")
    if plan.is_rejected:
        raise CommandExit(
            "refused: " + "; ".join(plan.objections) + ". --force overrides this, and is recorded"
        )
    if dry_run:
        if as_json:
            print_json({"switched": False, **_plan_fields(plan)})
        return
    confirm(f"Serve partners from {to}?", yes=yes)
    result = switcher.switch(plan, by or _login(), reason)
    if result.served is None:
        raise CommandExit(result.problem)
    if as_json:
        print_json({"switched": True, **_plan_fields(plan), "record": _fields(result.served)})
    else:
        say(f"partners are served from {to}: switch {result.served.number}, by {result.served.by}", "bold")


def _print_plan(plan: "SwitchPlan") -> None:
    for effect in plan.effects:
        say(effect)
    for objection in plan.objections:
        say(f"objection{', overridden by --force' if plan.forced else ''}: {objection}", "red")


def _plan_fields(plan: "SwitchPlan") -> dict[str, object]:
    return {
        "from": str(plan.current.source),
        "to": str(plan.to),
        "parity_share": plan.parity_share,
        "effects": list(plan.effects),
        "objections": list(plan.objections),
        "forced": plan.forced and bool(plan.objections),
    }


def _fields(served: ServedState) -> dict[str, object]:
    return {
        "number": served.number,
        "source": str(served.source),
        "since": served.since,
        "by": served.by,
        "reason": served.reason,
        "parity_share": served.parity_share,
        "forced": served.forced,
    }


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
