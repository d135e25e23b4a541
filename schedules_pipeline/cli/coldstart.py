"""``schedules-pipeline coldstart``: requesting a coldstart, running one here, its progress."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from schedules_pipeline.cli.answer import Answer, answering, confirm, members, progress, remark
from schedules_pipeline.cli.arguments import yes_option
from schedules_pipeline.cli.coldstart_wait import describe_progress, describe_rate, stage_name, wait_for
from schedules_pipeline.cli.session import CommandExit, Ending, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.maintenance.ports import Coldstart, Stage

_FIRST_SHARD = 0

_wait_option = click.option(
    "--wait", is_flag=True, help="Wait until it has ended or stalled, and show its progress."
)


def _reason_option(default: str) -> Callable[..., Any]:
    return click.option("--reason", default=default, show_default=True, help="Shown to operators.")


@click.group("coldstart", invoke_without_command=True)
@click.option("--purge", is_flag=True, help="Delete the waiting messages of both queues first.")
@click.option("--even-if-fewer", is_flag=True, help="No effect: losses are held. It goes in version 0.3.")
@click.option("--here", is_flag=True, help="Run it in this process, not in Dagster.")
@_wait_option
@_reason_option("asked for on the command line")
@yes_option
@answering
def command(
    session: Session, purge: bool, even_if_fewer: bool, here: bool, wait: bool, reason: str, yes: bool
) -> Answer | None:
    """Rebuild everything from the sources. Partners are served throughout; intake of events pauses until the end.

    Without --here the coldstart is only requested, and Dagster's sensor `coldstart_control` starts its runs. If one is
    open already, the command reports that one. An interrupted coldstart is continued by the next worker.
    """
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        if any((purge, even_if_fewer, here, wait, yes, context.params["as_json"])):
            raise click.UsageError(f"options go behind {context.invoked_subcommand!r}, not before it")
        return None
    if even_if_fewer:
        remark(
            "warning: --even-if-fewer goes in version 0.3: losses are held, see `schedules-pipeline holds`"
        )
    confirm("Coldstart, and delete the waiting messages of both queues?", yes=yes or not purge)
    cause = session.cause("coldstart")
    coldstarter = session.pipeline.coldstarter
    coldstart = coldstarter.request(cause.event_id, reason, purge=purge)
    if coldstart.id != cause.event_id:
        remark(f"one is open already: {coldstart.request.reason}")
    if here:
        coldstart = _work_here(session, coldstart, cause.event_id)
    return _answer(session, wait_for(session, coldstart) if wait and not here else coldstart)


@command.command("status")
@_wait_option
@answering
def status(session: Session, wait: bool) -> Answer:
    """Show the progress of the coldstart: percent, rate, time left."""
    latest = session.pipeline.store.coldstarts.latest()
    if latest is None:
        raise CommandExit("there was no coldstart in this keyspace")
    return _answer(session, wait_for(session, latest) if wait else latest)


@command.command("abandon")
@_reason_option("abandoned on the command line")
@yes_option
@answering
def abandon(session: Session, reason: str, yes: bool) -> Answer:
    """End the open coldstart now. Schedules that it has not rebuilt stay as they are, and intake resumes."""
    latest = session.pipeline.store.coldstarts.latest()
    if latest is None or latest.stage.is_final:
        raise CommandExit("no coldstart is open")
    confirm(f"Abandon it, with {counted(latest.left, 'schedule')} left?", yes=yes)
    if not session.pipeline.coldstarter.abandon(reason):
        raise CommandExit("the coldstart has ended in the meantime")
    shown = ["abandoned; intake resumes"]
    if latest.request.purge and latest.is_confirmed:
        shown.append("Its purge lost messages: `schedules-pipeline reconcile --all` finds their changes.")
    return Answer({"abandoned": latest.id}, shown)


def describe_coldstart(coldstart: Coldstart, now: datetime) -> str:
    """One line: ``building: reason; 40% (400 of 1,000), 12 published, 0 failed, 80 a second, 8 s left``."""
    text = f"{stage_name(coldstart)}: {coldstart.request.reason}"
    if coldstart.total:
        text += f"; {coldstart.done / coldstart.total:.0%} ({coldstart.done:,} of {coldstart.total:,}), "
        text += describe_rate(coldstart, now)
    return f"{text}; {coldstart.problem}" if coldstart.problem else text


def coldstart_fields(coldstart: Coldstart, now: datetime) -> dict[str, Any]:
    left = None if coldstart.stage.is_final else coldstart.time_left(now)
    return {
        "id": coldstart.id,
        "stage": stage_name(coldstart),
        **members(coldstart.request, "reason", "requested_at", "purge"),
        "is_automatic": coldstart.request.by_itself,
        **members(coldstart, "total", "done", "left", "published", "failed"),
        "per_second": coldstart.rate(now),
        "seconds_left": None if left is None else left.total_seconds(),
        **members(coldstart, "ended_at", "problem"),
    }


def _answer(session: Session, coldstart: Coldstart) -> Answer:
    now = session.now()
    is_wrong = coldstart.stage in (Stage.REJECTED, Stage.ABANDONED)
    shown, ending = describe_coldstart(coldstart, now), Ending.WRONG if is_wrong else Ending.WELL
    return Answer(coldstart_fields(coldstart, now), shown, ending)


def _work_here(session: Session, coldstart: Coldstart, worker: str) -> Coldstart:
    try:
        with progress(session) as update:
            return session.pipeline.coldstarter.work_at(
                coldstart.id,
                worker,
                _FIRST_SHARD,
                lambda now: update(describe_progress(now, session.now()), now.done, now.total),
            )
    except KeyboardInterrupt:
        raise CommandExit(
            "interrupted, and the coldstart is still open: Dagster continues it, or `schedules-pipeline coldstart "
            "--here`; `schedules-pipeline coldstart abandon` ends it"
        ) from None
