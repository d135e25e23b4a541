"""``schedules-pipeline status``: the state of the whole pipeline.

The conditions of health decide the exit code, and are the same that the alarms, ``/health`` and Dagster show. The other
sections are for reading. Each is checked independently: if a service does not answer, its section says so and the
others are shown.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import click
from rich.live import Live
from rich.table import Table
from rich.text import Text

from schedules_pipeline.cli.answer import Answer, answering, is_for_programs, members, screen
from schedules_pipeline.cli.coldstart import coldstart_fields, describe_coldstart
from schedules_pipeline.cli.session import Ending, Session
from schedules_pipeline.cli.wording import ago, counted, duration, printable
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import PipelineError, ServiceError
from schedules_pipeline.health.condition import Condition, Severity
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.health.queue_age import oldest_message_age
from schedules_pipeline.health.wording import EXAMPLES
from schedules_pipeline.maintenance.ports import PassName, PassRecord
from schedules_pipeline.migration.ports import Verdict
from schedules_pipeline.publishing.ports.presence import STARTING
from schedules_pipeline.publishing.ports.rejections import RejectedKind
from schedules_pipeline.publishing.ports.upstream import NotificationQueue

_SHOWN_SCHEDULES = 5
_NO_PUBLISHER = "no publisher is running, which is right while nothing is pending"


@dataclass(frozen=True, slots=True)
class Section:
    """The result of one check: JSON members, and lines for people. ``wrong``: conditions of error or worse.

    ``evidence``: lines that stand below one of ``wrong``, for people.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    unreachable: str = ""
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_Check = Callable[[Pipeline, datetime], Section]


@click.command("status")
@click.option("--watch", is_flag=True, help="Check repeatedly, until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.5),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="The interval of --watch.",
)
@answering
def command(session: Session, watch: bool, every: float) -> Answer | None:
    """Show the state of the whole pipeline.

    Ends with 1 if a condition of severity error or critical holds, such as quarantined schedules, a silent process or
    an empty keyspace. Warnings are shown and end with 0. Ends with 3 if a service did not answer.
    """
    if watch and is_for_programs():
        raise click.UsageError("--watch is for people, and --json is one document: choose one of them")
    if watch:
        _watch(session, every)
        return None
    now = session.now()
    sections = check(session.pipeline, now)
    return Answer(_as_fields(sections, now), [_render(sections, session, now)], _ending(sections))


def check(pipeline: Pipeline, now: datetime) -> dict[str, Section]:
    """All sections, side by side, so that a service that does not answer delays no other section."""
    with ThreadPoolExecutor(len(_CHECKS)) as pool:
        return dict(
            zip(_CHECKS, pool.map(lambda one: _check(one, pipeline, now), _CHECKS.values()), strict=True)
        )


def _check(one: _Check, pipeline: Pipeline, now: datetime) -> Section:
    try:
        return one(pipeline, now)
    except ServiceError as error:
        return Section(unreachable=str(error))
    except PipelineError as error:
        return Section(wrong=(str(error),))


def _watch(session: Session, every: float) -> None:
    try:
        with Live(console=screen(), auto_refresh=False) as live:
            while True:
                now = session.now()
                live.update(_render(check(session.pipeline, now), session, now), refresh=True)
                session.sleep(every)
    except KeyboardInterrupt:
        return


# The checks


def _publisher(pipeline: Pipeline, now: datetime) -> Section:
    present = pipeline.store.presence.present()
    texts = [
        *(f"{name} is at work" for name in present.running),
        *(f"{name} is at work until another one is" for name in present.leaving),
        *(["a publisher was requested, and is about to start"] * present.starting),
    ]
    fields = {
        "publisher": present.recorder or (STARTING if present.starting else None),
        "publishers": [*present.running, *present.leaving],
    }
    return Section(fields, tuple(texts) or (_NO_PUBLISHER,))


def _conditions(pipeline: Pipeline, now: datetime) -> Section:
    checkup = pipeline.health.check_or_report_outage()
    undecided = sorted(checkup.findings.undecided)
    fields = {
        "found": [
            members(each, "name", "severity", "subject", "summary", "since", "evidence", "remedy")
            for each in checkup.conditions
        ],
        "undecided": undecided,
    }
    warnings = [each for each in checkup.conditions if each.severity is Severity.WARNING]
    lines = tuple(line for each in warnings for line in (_describe(each, now), *_evidence(each)))
    grave = [each for each in checkup.conditions if each.severity is not Severity.WARNING]
    wrong = {_describe(each, now): _evidence(each) for each in grave}
    unknown = (f"not judged: {', '.join(undecided)}",) if undecided else ()
    none = () if lines or unknown or wrong else ("none",)
    return Section(fields, (*lines, *unknown, *none), tuple(wrong), evidence=wrong)


def _describe(condition: Condition, now: datetime) -> str:
    since = "" if condition.since is None else f" for {duration(now - condition.since)}"
    return f"{condition.severity} {condition.name}{since}: {condition.summary}. {condition.remedy}"


def _evidence(condition: Condition) -> tuple[str, ...]:
    """The first few entries, one a line."""
    return tuple(f"    {name}: {value}" for name, value in islice(condition.evidence.items(), EXAMPLES))


def _backlog(pipeline: Pipeline, now: datetime) -> Section:
    backlog = pipeline.store.work.backlog()
    oldest = None if backlog.oldest_due_at is None else now - backlog.oldest_due_at
    late = f", the oldest due {duration(oldest)} ago" if oldest is not None and oldest > timedelta(0) else ""
    line = (
        f"{backlog.pending:,} pending{late}; {backlog.in_progress:,} in progress, "
        f"{backlog.waiting:,} waiting, {backlog.quarantined:,} quarantined"
    )
    fields = members(backlog, "pending", "in_progress", "waiting", "quarantined", "oldest_due_at")
    return Section(fields, (line,))


def _queue(name: QueueName, pipeline: Pipeline, now: datetime) -> Section:
    upstreams, notes = pipeline.upstreams, pipeline.store.queue_polls.all()[name]
    is_schedules = name is QueueName.SCHEDULE_EVENTS
    depth = (upstreams.schedule_queue if is_schedules else upstreams.catalogue_queue).depth()
    age = oldest_message_age(notes, depth, now)
    polled = "never polled" if notes.polled_at is None else f"last polled {ago(notes.polled_at, now)}"
    waits = f", for {duration(age)} at the most" if depth.waiting and age is not None else ""
    fields = members(depth, "waiting", "in_flight")
    return Section(
        {
            **fields,
            "oldest_seconds": None if age is None else age.total_seconds(),
            "polled_at": notes.polled_at,
        },
        (f"{depth.waiting:,} waiting{waits}; {depth.in_flight:,} being handled; {polled}",),
    )


def _dead_letters(name: str, pipeline: Pipeline, now: datetime) -> Section:
    queue: NotificationQueue = getattr(pipeline.upstreams, name)
    depth = queue.depth()
    line = f"{depth.waiting:,} waiting, {depth.in_flight:,} being handled"
    return Section(members(depth, "waiting", "in_flight"), (line,))


def _published(pipeline: Pipeline, now: datetime) -> Section:
    heads = pipeline.store.feed.heads().values()
    shown = [head for head in heads if not head.is_removal]
    per_service = Counter(head.key.sid for head in shown)
    latest = max((head.published_at for head in heads), default=None)
    line = f"{counted(len(shown), 'schedule')} of {counted(len(per_service), 'service')}"
    last = "" if latest is None else f"; the latest version {ago(latest, now)}"
    services = " ".join(f"{sid} ({count})" for sid, count in sorted(per_service.items()))
    fields = {"schedules": len(shown), "services": dict(sorted(per_service.items())), "latest_at": latest}
    return Section(fields, (line + last, *([services] if services else [])))


def _feed(pipeline: Pipeline, now: datetime) -> Section:
    unrecorded = pipeline.store.feed.unrecorded()
    return Section({"unrecorded": unrecorded}, (f"{counted(unrecorded, 'row')} not recorded in Dagster yet",))


def _rejected(pipeline: Pipeline, now: datetime) -> Section:
    counts = pipeline.store.rejections.summary(0).counts
    fields = {f"{kind}s": counts[kind] for kind in reversed(RejectedKind)}
    return Section(fields, (", ".join(counted(counts[kind], kind) for kind in reversed(RejectedKind)),))


def _quarantined_broadcasts(pipeline: Pipeline, now: datetime) -> Section:
    found = {
        str(key): summary for key, summary in sorted(pipeline.store.quarantined_broadcasts.all().items())
    }
    shown = [f"{key}: {summary}" for key, summary in list(found.items())[:_SHOWN_SCHEDULES]]
    line = f"in {counted(len(found), 'accepted document')}" if found else "none"
    return Section({"schedules": found}, (line, *shown))


def _held(pipeline: Pipeline, now: datetime) -> Section:
    waiting = [loss for loss in pipeline.holds.list() if loss.verdict is None]
    hours = round(sum(loss.seconds for loss in waiting) / 3600, 1)
    fields = {"holds": len(waiting), "schedules": sum(len(loss.held) for loss in waiting), "hours": hours}
    if not waiting:
        return Section(fields, ("nothing is held",))
    line = f"{counted(len(waiting), 'hold')}, {hours} hours of airtime: `schedules-pipeline holds list`"
    return Section(fields, (line,))


def _parity(pipeline: Pipeline, now: datetime) -> Section:
    verdicts = Counter[Verdict]()
    for (_, verdict), amount in pipeline.store.comparisons.tally().items():
        verdicts[verdict] += amount
    compared = sum(verdicts.values())
    line = ", ".join(f"{verdicts[verdict]:,} {verdict}" for verdict in Verdict)
    fields = {verdict.name.lower(): verdicts[verdict] for verdict in Verdict}
    return Section(fields, (line if compared else "nothing was compared yet",))


def _served(pipeline: Pipeline, now: datetime) -> Section:
    served = pipeline.store.served.current()
    since = "" if served.since is None else f", switched {ago(served.since, now)} by {served.by}"
    text = f"partners are served from {served.source}{since}"
    return Section(members(served, "source", "since"), (text,))


def _passes(pipeline: Pipeline, now: datetime) -> Section:
    records = pipeline.store.passes.all()
    lines = [_describe_pass(name, record, now) for name, record in records.items()]
    fields = {str(name): _pass_fields(record) for name, record in records.items()}
    return Section(fields, tuple(lines) or ("no pass has run yet",))


def _describe_pass(name: PassName, record: PassRecord, now: datetime) -> str:
    latest = record.latest
    counts = ", ".join(f"{count:,} {what}" for what, count in latest.counts.items() if count)
    if not latest.succeeded:
        return f"{name}: failed {ago(latest.ended_at, now)}: {latest.problem}"
    return (
        f"{name}: {ago(latest.ended_at, now)}, in {duration(latest.seconds)}{': ' if counts else ''}{counts}"
    )


def _pass_fields(record: PassRecord) -> dict[str, Any]:
    latest, success = record.latest, record.latest_success
    return {
        **members(latest, "began_at", "ended_at", "seconds", "counts", "problem"),
        "succeeded_at": None if success is None else success.ended_at,
        **members(record, "runs", "failures"),
    }


def _coldstart(pipeline: Pipeline, now: datetime) -> Section:
    latest = pipeline.store.coldstarts.latest()
    if latest is None:
        return Section({"stage": None}, ("there was no coldstart",))
    return Section(coldstart_fields(latest, now), (describe_coldstart(latest, now),))


_CHECKS: Mapping[str, _Check] = {
    "conditions": _conditions,
    "publisher": _publisher,
    "backlog": _backlog,
    "schedule_queue": partial(_queue, QueueName.SCHEDULE_EVENTS),
    "catalogue_queue": partial(_queue, QueueName.CATALOGUE_EVENTS),
    "schedule_dead_letters": partial(_dead_letters, "schedule_dead_letters"),
    "catalogue_dead_letters": partial(_dead_letters, "catalogue_dead_letters"),
    "published": _published,
    "feed": _feed,
    "rejected": _rejected,
    "quarantined_broadcasts": _quarantined_broadcasts,
    "held": _held,
    "parity": _parity,
    "served": _served,
    "passes": _passes,
    "coldstart": _coldstart,
}


# The output


def _ending(sections: Mapping[str, Section]) -> Ending:
    if any(section.unreachable for section in sections.values()):
        return Ending.NO_ANSWER
    return Ending.WRONG if any(section.wrong for section in sections.values()) else Ending.WELL


def _as_fields(sections: Mapping[str, Section], now: datetime) -> dict[str, Any]:
    return {
        "checked_at": now,
        "is_well": _ending(sections) is Ending.WELL,
        "wrong": [problem for section in sections.values() for problem in section.wrong],
        "unreachable": {name: s.unreachable for name, s in sections.items() if s.unreachable},
        **{name: None if s.unreachable else dict(s.fields) for name, s in sections.items()},
    }


def _render(sections: Mapping[str, Section], session: Session, now: datetime) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, section in sections.items():
        grid.add_row(Text(name.replace("_", " "), style="bold"), _paragraph(section))
    problems = sum(len(section.wrong) + bool(section.unreachable) for section in sections.values())
    verdict = (
        Text(counted(problems, "problem"), style="bold red")
        if problems
        else Text("all is well", style="green")
    )
    grid.add_row(Text(session.local(now)), verdict)
    return grid


def _paragraph(section: Section) -> Text:
    if section.unreachable:
        return _styled([f"does not answer: {section.unreachable}"], "bold red")
    wrong = [line for each in section.wrong for line in (each, *section.evidence.get(each, ()))]
    parts = [_styled(lines, style) for lines, style in ((section.lines, ""), (wrong, "red")) if lines]
    return Text("\n").join(parts)


def _styled(lines: Iterable[str], style: str) -> Text:
    return Text("\n".join(map(printable, lines)), style=style)
