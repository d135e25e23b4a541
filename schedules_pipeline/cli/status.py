"""``schedules-pipeline status``: how everything stands, at a glance.

Every section looks at one thing, by itself: where a service does not answer, its section says so and the others
are shown. A section also says what is wrong about what it found, which is what the exit code goes by.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import click
from rich.live import Live
from rich.table import Table
from rich.text import Text

from schedules_pipeline.cli.coldstart import coldstart_fields, describe_coldstart
from schedules_pipeline.cli.endings import Ending, end_as
from schedules_pipeline.cli.printing import json_option, print_json, screen
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import ago, counted, duration, local, printable
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import is_pid
from schedules_pipeline.errors import PipelineError, ServiceError
from schedules_pipeline.health.conditions import BOOKED
from schedules_pipeline.health.ports.queue_polls import QueueName
from schedules_pipeline.health.queue_age import oldest_message_age
from schedules_pipeline.maintenance.ports.coldstart import Stage
from schedules_pipeline.maintenance.ports.passes import PassName, PassRecord
from schedules_pipeline.migration.ports.comparisons import Verdict
from schedules_pipeline.publishing.ports.upstream import NotificationQueue

_LATE = timedelta(minutes=5)
"""What has been due for longer than this is late, however much there is to do."""


@dataclass(frozen=True, slots=True)
class Section:
    """What one look found: for programs, in words, and what is wrong about it."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    unreachable: str = ""


_Look = Callable[[Pipeline, datetime], Section]


@click.command("status", short_help="How everything stands, at a glance.")
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.5),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: how often.",
)
@json_option
@pass_session
def command(session: Session, watch: bool, every: float, as_json: bool) -> None:
    """How everything stands, at a glance.

    Ends with 1 where something is wrong: schedules set aside or late, dead letters, a failed pass, differences
    from the old system that stand, an open alarm. Ends with 3 where a service did not answer.
    """
    if watch and as_json:
        raise click.UsageError("--watch is for people, and --json is one document: choose one of them")
    if watch:
        _watch(session, every)
        return
    now = session.now()
    sections = look(session.pipeline, now)
    if as_json:
        print_json(_as_fields(sections, now))
    else:
        screen().print(_render(sections, session, now))
    end_as(_ending(sections))


def look(pipeline: Pipeline, now: datetime) -> dict[str, Section]:
    """All sections, looked at side by side: a service that does not answer costs its own time alone."""
    with ThreadPoolExecutor(len(_LOOKS)) as pool:
        return dict(zip(_LOOKS, pool.map(lambda at: _look(at, pipeline, now), _LOOKS.values()), strict=True))


def _look(at: _Look, pipeline: Pipeline, now: datetime) -> Section:
    try:
        return at(pipeline, now)
    except ServiceError as error:
        return Section(unreachable=str(error))
    except PipelineError as error:
        return Section(wrong=(str(error),))


def _watch(session: Session, every: float) -> None:
    console = screen()
    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                now = session.now()
                live.update(_render(look(session.pipeline, now), session, now), refresh=True)
                session.sleep(every)
    except KeyboardInterrupt:
        return


# What is looked at


def _publisher(pipeline: Pipeline, now: datetime) -> Section:
    name = pipeline.store.presence.name()
    return Section({"publisher": name or None}, (_presence(name),))


def _presence(name: str) -> str:
    if name == BOOKED:
        return "one was asked for, and is about to start"
    return f"{name} is at work" if name else "nobody publishes: right where there is nothing to do"


def _backlog(pipeline: Pipeline, now: datetime) -> Section:
    backlog = pipeline.store.work.backlog()
    oldest = None if backlog.oldest_due_at is None else now - backlog.oldest_due_at
    wrong = []
    if backlog.quarantined:
        wrong.append(
            f"{counted(backlog.quarantined, 'schedule')} set aside: `schedules-pipeline set-aside list`"
        )
    if oldest is not None and oldest > _LATE:
        wrong.append(f"what is dirty longest was due {duration(oldest)} ago")
    late = f", the oldest due {duration(oldest)} ago" if oldest is not None and oldest > timedelta(0) else ""
    line = (
        f"{backlog.pending:,} dirty{late}; {backlog.in_progress:,} in progress, "
        f"{backlog.waiting:,} waiting, {backlog.quarantined:,} set aside"
    )
    fields = {
        "dirty": backlog.pending,
        "in_progress": backlog.in_progress,
        "waiting": backlog.waiting,
        "set_aside": backlog.quarantined,
        "oldest_due_at": backlog.oldest_due_at,
    }
    return Section(fields, (line,), tuple(wrong))


def _queue(name: QueueName) -> _Look:
    def look_at(pipeline: Pipeline, now: datetime) -> Section:
        queues = {
            QueueName.SCHEDULE_EVENTS: pipeline.upstreams.schedule_queue,
            QueueName.CATALOGUE_EVENTS: pipeline.upstreams.catalogue_queue,
        }
        depth, notes = queues[name].depth(), pipeline.store.queue_polls.all()[name]
        age = oldest_message_age(notes, depth, now)
        polled = "never polled" if notes.polled_at is None else f"last polled {ago(notes.polled_at, now)}"
        waits = f", for {duration(age)} at the most" if depth.waiting else ""
        line = f"{depth.waiting:,} waiting{waits}; {depth.in_flight:,} being handled; {polled}"
        fields = {
            "waiting": depth.waiting,
            "in_flight": depth.in_flight,
            "oldest_seconds": age.total_seconds(),
            "polled_at": notes.polled_at,
        }
        return Section(fields, (line,))

    return look_at


def _dead_letters(name: str) -> _Look:
    def look_at(pipeline: Pipeline, now: datetime) -> Section:
        queue: NotificationQueue = getattr(pipeline.upstreams, name)
        depth = queue.depth()
        there = depth.waiting + depth.in_flight
        wrong = (f"{counted(there, 'dead letter')}: `schedules-pipeline dead-letters list`",)
        return Section(
            {"waiting": depth.waiting, "in_flight": depth.in_flight},
            (f"{depth.waiting:,} waiting, {depth.in_flight:,} being handled",),
            wrong if there else (),
        )

    return look_at


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
    kinds = Counter(
        "schedules" if "/" in subject else "items" if is_pid(subject) else "messages"
        for subject in pipeline.store.rejections.all()
    )
    fields = {kind: kinds[kind] for kind in ("schedules", "items", "messages")}
    return Section(fields, (", ".join(f"{count:,} {kind}" for kind, count in fields.items()),))


def _parity(pipeline: Pipeline, now: datetime) -> Section:
    verdicts = Counter(comparison.verdict for comparison in pipeline.store.comparisons.all().values())
    compared = sum(verdicts.values())
    differs = verdicts[Verdict.DIFFERS]
    line = ", ".join(f"{verdicts[verdict]:,} {verdict}" for verdict in Verdict)
    wrong = (
        f"{counted(differs, 'schedule')} of {compared:,} differ{'s' if differs == 1 else ''} from the old system",
    )
    fields = {verdict.name.lower(): verdicts[verdict] for verdict in Verdict}
    return Section(fields, (line if compared else "nothing was compared yet",), wrong if differs else ())


def _served(pipeline: Pipeline, now: datetime) -> Section:
    served = pipeline.store.served.current()
    since = "" if served.since is None else f", switched {ago(served.since, now)} by {served.by}"
    return Section(
        {"source": served.source.value, "since": served.since},
        (f"partners are served from {served.source}{since}",),
    )


def _passes(pipeline: Pipeline, now: datetime) -> Section:
    records = pipeline.store.passes.all()
    failed = [
        f"the latest {name} failed: {r.latest.problem}" for name, r in records.items() if r.latest.problem
    ]
    lines = [_describe_pass(name, record, now) for name, record in records.items()]
    fields = {str(name): _pass_fields(record) for name, record in records.items()}
    return Section(fields, tuple(lines) or ("none has run yet",), tuple(failed))


def _describe_pass(name: PassName, record: PassRecord, now: datetime) -> str:
    latest = record.latest
    counts = ", ".join(f"{count:,} {what}" for what, count in latest.counts.items() if count)
    how = "" if latest.succeeded else "failed "
    return f"{name}: {how}{ago(latest.ended_at, now)}, in {duration(latest.seconds)}{': ' if counts else ''}{counts}"


def _pass_fields(record: PassRecord) -> dict[str, Any]:
    latest, success = record.latest, record.latest_success
    return {
        "began_at": latest.began_at,
        "ended_at": latest.ended_at,
        "seconds": latest.seconds,
        "counts": dict(latest.counts),
        "problem": latest.problem,
        "succeeded_at": None if success is None else success.ended_at,
        "runs": record.runs,
        "failures": record.failures,
    }


def _coldstart(pipeline: Pipeline, now: datetime) -> Section:
    latest = pipeline.store.coldstarts.latest()
    if latest is None:
        return Section({"stage": None}, ("there was none",))
    is_wrong = latest.stage in (Stage.REJECTED, Stage.ABANDONED) or bool(latest.problem)
    wrong = (f"the coldstart is {latest.stage}: {latest.problem}",)
    return Section(
        coldstart_fields(latest, now), (describe_coldstart(latest, now),), wrong if is_wrong else ()
    )


def _alarms(pipeline: Pipeline, now: datetime) -> Section:
    """What the watch has told of and has not seen end. It looks by itself, every minute or so."""
    raised = [incident for incident in pipeline.store.incidents.latest() if incident.is_open]
    undelivered = pipeline.store.incidents.count_undelivered()
    fields = {
        "undelivered": undelivered,
        "open": [
            {"name": e.name.value, "severity": e.severity.value, "summary": e.summary, "since": e.since}
            for e in raised
        ],
    }
    lines = (f"{counted(len(raised), 'alarm')} open, {counted(undelivered, 'notice')} to be delivered",)
    wrong = tuple(f"{e.severity} {e.name} for {duration(now - e.since)}: {e.summary}" for e in raised)
    return Section(fields, lines, wrong)


_LOOKS: Mapping[str, _Look] = {
    "alarms": _alarms,
    "publisher": _publisher,
    "backlog": _backlog,
    "schedule_queue": _queue(QueueName.SCHEDULE_EVENTS),
    "catalogue_queue": _queue(QueueName.CATALOGUE_EVENTS),
    "schedule_dead_letters": _dead_letters("schedule_dead_letters"),
    "catalogue_dead_letters": _dead_letters("catalogue_dead_letters"),
    "published": _published,
    "feed": _feed,
    "refused": _rejected,
    "parity": _parity,
    "served": _served,
    "passes": _passes,
    "coldstart": _coldstart,
}


# How it is shown


def _ending(sections: Mapping[str, Section]) -> Ending:
    if any(section.unreachable for section in sections.values()):
        return Ending.NO_ANSWER
    return Ending.WRONG if any(section.wrong for section in sections.values()) else Ending.WELL


def _as_fields(sections: Mapping[str, Section], now: datetime) -> dict[str, Any]:
    return {
        "looked_at": now,
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
    is_well = _ending(sections) is Ending.WELL
    verdict = Text("all is well", style="green") if is_well else Text("something is wrong", style="bold red")
    grid.add_row(Text(local(now, session.pipeline.calendar.zone)), verdict)
    return grid


def _paragraph(section: Section) -> Text:
    if section.unreachable:
        return _styled([f"does not answer: {section.unreachable}"], "bold red")
    return Text("\n").join(
        [_styled(section.lines, ""), *([_styled(section.wrong, "red")] if section.wrong else [])]
    )


def _styled(lines: Iterable[str], style: str) -> Text:
    return Text("\n".join(map(printable, lines)), style=style)
