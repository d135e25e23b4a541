"""``schedules-pipeline set-aside``: schedules whose builds failed too often, and letting them be built again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import click

from schedules_pipeline.cli.arguments import KEY
from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.cli.printing import json_option, print_json, print_table, say
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.urgency import due_at


@click.group("set-aside", short_help="Schedules whose builds failed too often.")
def command() -> None:
    """Look at schedules whose builds failed too often, and have them built again.

    Partners go on seeing the last good version of each.
    """


@command.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List what is set aside, with the last reason."""
    aside = dict(sorted(session.pipeline.store.work.quarantined().items()))
    if as_json:
        print_json({"set_aside": [_fields(key, reason) for key, reason in aside.items()]})
    elif aside:
        print_table(["schedule", "reason"], aside.items())
    else:
        say("nothing is set aside")


@command.command("show")
@click.argument("key", type=KEY, metavar="SID/DATE")
@json_option
@pass_session
def show(session: Session, key: ScheduleKey, as_json: bool) -> None:
    """Show the reason of one, and whether it is about to be built again."""
    reason = _chosen(session.pipeline.store.work.quarantined(), (key,))[key]
    is_released = key in session.pipeline.store.work.unfinished([key])
    if as_json:
        print_json({**_fields(key, reason), "is_released": is_released})
        return
    say(f"{key}: {reason}")
    say(
        "it was released, and is about to be built"
        if is_released
        else "it stays until it is released or changes"
    )


@command.command("release")
@click.argument("keys", nargs=-1, type=KEY, metavar="[SID/DATE]...")
@click.option("--all", "everything", is_flag=True, help="All that are set aside.")
@json_option
@pass_session
def release(session: Session, keys: tuple[ScheduleKey, ...], everything: bool, as_json: bool) -> None:
    """Have some built again: they are marked anew, and leave the list when a build succeeds."""
    if bool(keys) == everything:
        raise click.UsageError("name schedules as SID/DATE, or say --all")
    aside = session.pipeline.store.work.quarantined()
    chosen = list(aside if everything else _chosen(aside, keys))
    session.pipeline.store.work.mark(_marks(session, chosen))
    if as_json:
        print_json({"released": [str(key) for key in chosen]})
    else:
        say(f"released {counted(len(chosen), 'schedule')}; the next publisher builds what was released")


def _marks(session: Session, keys: Sequence[ScheduleKey]) -> list[Mark]:
    """All under one event id, so that ``why`` shows what was released together."""
    now, cause = session.now(), session.cause("")
    calendar = session.pipeline.calendar
    return [Mark(key, due_at(key, now, calendar), replace(cause, subject=str(key))) for key in keys]


def _chosen(aside: Mapping[ScheduleKey, str], keys: tuple[ScheduleKey, ...]) -> dict[ScheduleKey, str]:
    strangers = [str(key) for key in keys if key not in aside]
    if strangers:
        raise CommandExit(
            f"not set aside: {', '.join(strangers)}; `schedules-pipeline set-aside list` says what is"
        )
    return {key: aside[key] for key in keys}


def _fields(key: ScheduleKey, reason: str) -> dict[str, object]:
    return {"schedule": str(key), "reason": reason}
