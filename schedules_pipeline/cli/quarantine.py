"""``schedules-pipeline quarantine``: schedules whose builds failed too often, and their release."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import click

from schedules_pipeline.cli.answer import Answer, answering, document_table
from schedules_pipeline.cli.arguments import KEY, all_option
from schedules_pipeline.cli.session import CommandExit, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.urgency import due_at


@click.group("quarantine")
def command() -> None:
    """List schedules whose builds failed too often, and release them.

    Partners keep the last good version of each.
    """


@command.command("list")
@answering
def list_(session: Session) -> Answer:
    """List the quarantined schedules, each with its last error."""
    quarantined = dict(sorted(session.pipeline.store.work.quarantined().items()))
    document = {"quarantined": [_fields(key, reason) for key, reason in quarantined.items()]}
    if not quarantined:
        return Answer(document, "no schedule is quarantined")
    return Answer(document, [document_table(session, document["quarantined"], "schedule", "reason")])


@command.command("show")
@click.argument("key", type=KEY, metavar="SID/DATE")
@answering
def show(session: Session, key: ScheduleKey) -> Answer:
    """Show a quarantined schedule's last error, and whether it is released."""
    reason = _chosen(session.pipeline.store.work.quarantined(), (key,))[key]
    is_released = key in session.pipeline.store.work.unfinished([key])
    state = (
        "released; the next publisher builds it"
        if is_released
        else "quarantined until it is released or changes"
    )
    return Answer({**_fields(key, reason), "is_released": is_released}, [f"{key}: {reason}", state])


@command.command("release")
@click.argument("keys", nargs=-1, type=KEY, metavar="[SID/DATE]...")
@all_option("All quarantined schedules.")
@answering
def release(session: Session, keys: tuple[ScheduleKey, ...], everything: bool) -> Answer:
    """Mark schedules for rebuild. A schedule leaves the quarantine when its build succeeds."""
    if bool(keys) == everything:
        raise click.UsageError("name schedules as SID/DATE, or use --all")
    quarantined = session.pipeline.store.work.quarantined()
    chosen = list(quarantined if everything else _chosen(quarantined, keys))
    release_schedules(session, chosen)
    return Answer(
        {"released": [str(key) for key in chosen]},
        f"released {counted(len(chosen), 'schedule')}; the next publisher builds what was released",
    )


def release_schedules(session: Session, keys: Sequence[ScheduleKey]) -> None:
    """All with one event id, so that ``why`` shows which schedules were released together."""
    now, cause = session.now(), session.cause("")
    calendar = session.pipeline.calendar
    session.pipeline.store.work.mark(
        [Mark(key, due_at(key, now, calendar), replace(cause, subject=str(key))) for key in keys]
    )


def _chosen(quarantined: Mapping[ScheduleKey, str], keys: tuple[ScheduleKey, ...]) -> dict[ScheduleKey, str]:
    if unknown := [str(key) for key in keys if key not in quarantined]:
        raise CommandExit(f"not quarantined: {', '.join(unknown)}; see `schedules-pipeline quarantine list`")
    return {key: quarantined[key] for key in keys}


def _fields(key: ScheduleKey, reason: str) -> dict[str, object]:
    return {"schedule": str(key), "reason": reason}
