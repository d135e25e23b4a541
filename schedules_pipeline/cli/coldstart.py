"""``schedules-pipeline coldstart``: ask for one, do one here, and see how far it is."""

from datetime import datetime
from typing import Any, Self

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from schedules_pipeline.cli.endings import CommandExit, Ending, end_as
from schedules_pipeline.cli.printing import (
    confirm,
    json_option,
    print_json,
    remark,
    say,
    screen_of_remarks,
    yes_option,
)
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted, duration, printable
from schedules_pipeline.maintenance.ports.coldstart import Coldstart, Stage

_LOOK_EVERY_SECONDS = 1.0
_FIRST_SHARD = 0


@click.group("coldstart", invoke_without_command=True, short_help="Rebuild everything from the sources.")
@click.option(
    "--purge", is_flag=True, help="Throw away what waits in both queues; the sources are read instead."
)
@click.option(
    "--even-if-fewer", is_flag=True, help="Also where the source lists far less than partners have."
)
@click.option("--here", is_flag=True, help="Do it in this process, rather than in runs of Dagster.")
@click.option("--wait", is_flag=True, help="Stay until it has ended.")
@click.option(
    "--reason", default="asked for on the command line", show_default=True, help="Shown to operators."
)
@yes_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    purge: bool,
    even_if_fewer: bool,
    here: bool,
    wait: bool,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Rebuild everything from the sources. Partners are served throughout, and the intake waits meanwhile.

    Without --here it is only asked for: Dagster's sensor `coldstart_control` starts its runs. Where one is open
    already, that one is the answer. It can be interrupted at any time; whoever comes next goes on with it.
    """
    if context.invoked_subcommand is not None:
        if any((purge, even_if_fewer, here, wait, yes, as_json)):
            raise click.UsageError(f"options go behind {context.invoked_subcommand!r}, not before it")
        return
    session = context.ensure_object(Session)
    if purge or even_if_fewer:
        _confirm_dangers(purge=purge, even_if_fewer=even_if_fewer, yes=yes)
    cause = session.cause("coldstart")
    coldstarter = session.pipeline.coldstarter
    asked = coldstarter.request(cause.event_id, reason, purge=purge, even_if_fewer=even_if_fewer)
    if asked.id != cause.event_id:
        remark(f"one is open already: {asked.request.reason}")
    if here:
        with _Bar(session) as bar:
            asked = coldstarter.work_at(asked.id, cause.event_id, _FIRST_SHARD, bar.show)
    elif wait:
        asked = _wait_for(session, asked)
    _end(session, asked, as_json=as_json)


@command.command("status")
@click.option("--wait", is_flag=True, help="Stay until it has ended, with a bar.")
@json_option
@pass_session
def status(session: Session, wait: bool, as_json: bool) -> None:
    """Say how far the coldstart is: percent, rate, time left."""
    latest = session.pipeline.store.coldstarts.latest()
    if latest is None:
        raise CommandExit("there was no coldstart in this keyspace")
    _end(session, _wait_for(session, latest) if wait else latest, as_json=as_json)


@command.command("abandon")
@click.option(
    "--reason", default="abandoned on the command line", show_default=True, help="Shown to operators."
)
@yes_option
@json_option
@pass_session
def abandon(session: Session, reason: str, yes: bool, as_json: bool) -> None:
    """End the open coldstart where it is. What was not built keeps what it has, and the intake goes on."""
    latest = session.pipeline.store.coldstarts.latest()
    if latest is None or latest.stage.is_final:
        raise CommandExit("no coldstart is open")
    confirm(f"Abandon it, with {counted(latest.left, 'schedule')} left?", yes=yes)
    if not session.pipeline.coldstarter.abandon(reason):
        raise CommandExit("it has ended by itself meanwhile")
    if as_json:
        print_json({"abandoned": latest.id})
    else:
        say("abandoned; the intake goes on")
        if latest.request.purge and latest.is_confirmed:
            say(
                "The queues were purged for it: `schedules-pipeline reconcile --all` finds what they had to tell."
            )


def describe_coldstart(coldstart: Coldstart, now: datetime) -> str:
    """``building: 40 % (400 of 1,000), 12 published, 0 failed, 80 a second, 8 s left``, in one line."""
    text = f"{coldstart.stage}: {coldstart.request.reason}"
    if coldstart.total:
        text += (
            f"; {coldstart.done / coldstart.total:.0%} ({coldstart.done:,} of {coldstart.total:,}), "
            f"{coldstart.published:,} published, {coldstart.failed:,} failed, {coldstart.rate(now):.0f} a second"
        )
    left = coldstart.time_left(now)
    if left is not None and not coldstart.stage.is_final:
        text += f", {duration(left)} left"
    return f"{text}; {coldstart.problem}" if coldstart.problem else text


def coldstart_fields(coldstart: Coldstart, now: datetime) -> dict[str, Any]:
    left = coldstart.time_left(now)
    return {
        "id": coldstart.id,
        "stage": coldstart.stage.value,
        "reason": coldstart.request.reason,
        "requested_at": coldstart.request.requested_at,
        "by_itself": coldstart.request.by_itself,
        "purge": coldstart.request.purge,
        "total": coldstart.total,
        "done": coldstart.done,
        "left": coldstart.left,
        "published": coldstart.published,
        "failed": coldstart.failed,
        "per_second": coldstart.rate(now),
        "seconds_left": None if left is None or coldstart.stage.is_final else left.total_seconds(),
        "ended_at": coldstart.ended_at,
        "problem": coldstart.problem,
    }


def _confirm_dangers(*, purge: bool, even_if_fewer: bool, yes: bool) -> None:
    dangers = []
    if purge:
        dangers.append("throw away what waits in both queues")
    if even_if_fewer:
        dangers.append("take from partners what the source does not list any more")
    confirm(f"Coldstart, and {' and '.join(dangers)}?", yes=yes)


def _wait_for(session: Session, coldstart: Coldstart) -> Coldstart:
    """Look every second until it has ended, or another is the latest."""
    with _Bar(session) as bar:
        while not coldstart.stage.is_final:
            bar.show(coldstart)
            session.sleep(_LOOK_EVERY_SECONDS)
            latest = session.pipeline.store.coldstarts.latest()
            if latest is None or latest.id != coldstart.id:
                raise CommandExit(
                    "another coldstart has taken its place; `schedules-pipeline coldstart status`"
                )
            coldstart = latest
    return coldstart


def _end(session: Session, coldstart: Coldstart, *, as_json: bool) -> None:
    now = session.now()
    if as_json:
        print_json(coldstart_fields(coldstart, now))
    else:
        say(describe_coldstart(coldstart, now))
    if coldstart.stage in (Stage.REJECTED, Stage.ABANDONED):
        end_as(Ending.WRONG)


class _Bar:
    """A bar on standard error, where that is a terminal."""

    def __init__(self, session: Session) -> None:
        console = screen_of_remarks()
        self._session = session
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task: TaskID = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, coldstart: Coldstart) -> None:
        words = printable(describe_coldstart(coldstart, self._session.now()))
        self._bar.update(
            self._task, total=coldstart.total or None, completed=coldstart.done, description=words
        )
