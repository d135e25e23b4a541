"""Waiting for a coldstart that other processes carry out: its progress in words, and when waiting is no use."""

from datetime import datetime

from schedules_pipeline.cli.answer import progress
from schedules_pipeline.cli.session import CommandExit, Session
from schedules_pipeline.cli.wording import duration
from schedules_pipeline.maintenance.coldstart import LEASE_FOR
from schedules_pipeline.maintenance.ports import STALLED_AFTER, Coldstart

_CHECK_EVERY_SECONDS = 1.0
_SENSOR, _JOB = "coldstart_control", "coldstart"


def wait_for(session: Session, coldstart: Coldstart) -> Coldstart:
    """Check every second until the coldstart has ended.

    Raises :class:`CommandExit` if no worker makes progress for five minutes, if another coldstart has begun, or at
    Ctrl-C. The coldstart goes on after each.
    """
    began_at = session.now()
    try:
        with progress(session) as update:
            while not coldstart.stage.is_final:
                _require_progress(session, coldstart, began_at)
                update(_describe(session, coldstart), coldstart.done, coldstart.total)
                session.sleep(_CHECK_EVERY_SECONDS)
                latest = session.pipeline.store.coldstarts.latest()
                if latest is None or latest.id != coldstart.id:
                    raise CommandExit("another coldstart has begun: `schedules-pipeline coldstart status`")
                coldstart = latest
    except KeyboardInterrupt:
        raise CommandExit(
            "no longer waiting; the coldstart goes on: `schedules-pipeline coldstart status --wait`"
        ) from None
    return coldstart


def describe_progress(coldstart: Coldstart, now: datetime) -> str:
    """``building: 12 published, 0 failed, 80 a second, 8 s left``."""
    detail = describe_rate(coldstart, now) if coldstart.total else coldstart.request.reason
    return f"{stage_name(coldstart)}: {detail}"


def describe_rate(coldstart: Coldstart, now: datetime) -> str:
    """``12 published, 0 failed, 80 a second, 8 s left``."""
    rate = f"{coldstart.rate(now):.0f} a second"
    text = f"{coldstart.published:,} published, {coldstart.failed:,} failed, {rate}"
    left = coldstart.time_left(now)
    return text if left is None or coldstart.stage.is_final else f"{text}, {duration(left)} left"


def stage_name(coldstart: Coldstart) -> str:
    """The stage's name. Its stored value is "refused" for a rejected coldstart."""
    return coldstart.stage.name.lower()


def _describe(session: Session, coldstart: Coldstart) -> str:
    text = describe_progress(coldstart, session.now())
    silence = session.now() - coldstart.last_progress_at
    return text if silence < LEASE_FOR else f"{text}; {_no_progress(session, coldstart)}"


def _require_progress(session: Session, coldstart: Coldstart, began_at: datetime) -> None:
    """An operator who waits again after a repair gets five minutes from then."""
    if session.now() - max(coldstart.last_progress_at, began_at) > STALLED_AFTER:
        raise CommandExit(
            f"{_no_progress(session, coldstart)}. The coldstart is still open: see coldstart-stalled in the runbook, "
            "or continue it here with `schedules-pipeline coldstart --here`"
        )


def _no_progress(session: Session, coldstart: Coldstart) -> str:
    what = "has begun" if coldstart.alive_at is None else "has made progress"
    silence = duration(session.now() - coldstart.last_progress_at)
    return f"no worker {what} for {silence}{_reason(session, coldstart)}"


def _reason(session: Session, coldstart: Coldstart) -> str:
    """What the sensor ``watch`` has last seen in Dagster that explains it; "" if nothing does."""
    dagster = session.pipeline.store.dagster.latest()
    if dagster is None:
        return ": Dagster was never seen here"
    if _SENSOR in dagster.sensors_off:
        return f": the sensor `{_SENSOR}` is switched off"
    failed = next((run for run in dagster.failed_runs if run.job == _JOB), None)
    if failed and failed.ended_at >= coldstart.request.requested_at:
        return f": run {failed.run_id} of the job `{_JOB}` failed at {session.local(failed.ended_at)}"
    if session.now() - dagster.at > LEASE_FOR:
        return f": Dagster was last seen {duration(session.now() - dagster.at)} ago"
    return ""
