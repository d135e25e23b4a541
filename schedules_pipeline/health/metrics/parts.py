"""The parts of a scrape. Each reads one thing from the store or a queue and returns its samples.

A part that fails is missing from that scrape, and ``schedules_scrape_errors`` shows it. The metrics are declared in
:mod:`~schedules_pipeline.health.metrics.series`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from math import inf

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.health.check_health import HealthCheck
from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.health.growth import hours_until_full
from schedules_pipeline.health.metrics.series import COUNTERS, DURATIONS, Sample
from schedules_pipeline.health.ports import HealthStore, QueueName
from schedules_pipeline.health.queue_age import oldest_message_age, queues_by_name
from schedules_pipeline.maintenance.ports import PassName, PassRecord, Stage
from schedules_pipeline.migration.ports import Verdict
from schedules_pipeline.partners.ports import UsageKind
from schedules_pipeline.publishing.decide_holds import list_holds
from schedules_pipeline.publishing.ports.counters import Durations
from schedules_pipeline.publishing.ports.upstream import NotificationQueue
from schedules_pipeline.push.lag import push_lag

Part = Callable[[], list[Sample]]
_Read = Callable[[HealthStore, datetime], Iterator[Sample]]


def parts_of(health: HealthCheck) -> Mapping[str, Part]:
    store, sources, clock = health.store, health.sources, health.clock
    parts: dict[str, Part] = {
        name: partial(_read_store, read, store, clock) for name, read in _STORE_PARTS.items()
    }
    parts["conditions"] = partial(_conditions, health)
    dead_letters = {
        QueueName.SCHEDULE_EVENTS: sources.schedule_dead_letters,
        QueueName.CATALOGUE_EVENTS: sources.catalogue_dead_letters,
    }
    for name, queue in queues_by_name(sources).items():
        parts[name] = partial(_queue, name, queue, store, clock)
        parts[f"{name}_dead_letters"] = partial(_dead_letters, name, dead_letters[name])
    return parts


def _conditions(health: HealthCheck) -> list[Sample]:
    """Every condition that could be judged, under every severity, also while the store does not answer."""
    findings = health.check_or_report_outage().findings
    found = {(each.name, each.severity) for each in findings.conditions}
    return [
        Sample("schedules_condition", (name.value, severity.value), (name, severity) in found)
        for name in ConditionName
        if name not in findings.undecided
        for severity in Severity
    ]


def _read_store(read: _Read, store: HealthStore, clock: Clock) -> list[Sample]:
    return list(read(store, clock()))


def _queue(name: QueueName, queue: NotificationQueue, store: HealthStore, clock: Clock) -> list[Sample]:
    """Read the depth first: a poll in between then makes the age smaller, never greater."""
    depth = queue.depth()
    age = oldest_message_age(store.queue_polls.all()[name], depth, clock())
    samples = [
        Sample("schedules_queue_messages", (name.value, "waiting"), depth.waiting),
        Sample("schedules_queue_messages", (name.value, "in_flight"), depth.in_flight),
    ]
    if age is not None:
        samples.append(
            Sample("schedules_queue_oldest_message_age_seconds", (name.value,), age.total_seconds())
        )
    return samples


def _dead_letters(name: QueueName, queue: NotificationQueue) -> list[Sample]:
    depth = queue.depth()
    return [Sample("schedules_dead_letters", (name.value,), depth.waiting + depth.in_flight)]


def _counters(store: HealthStore, _: datetime) -> Iterator[Sample]:
    """All counters, those at 0 too, so that a rate is known from the first event."""
    totals = store.counters.all()
    for name, (metric, labels) in COUNTERS.items():
        yield Sample(metric, labels, totals.get(name, 0))


def _durations(store: HealthStore, _: datetime) -> Iterator[Sample]:
    known = store.counters.durations()
    for name, (metric, labels) in DURATIONS.items():
        yield Sample(metric, labels, known.get(name, Durations()))


def _backlog(store: HealthStore, now: datetime) -> Iterator[Sample]:
    backlog = store.work.backlog()
    yield Sample("schedules_backlog", ("dirty",), backlog.pending)
    yield Sample("schedules_backlog", ("in_progress",), backlog.in_progress)
    yield Sample("schedules_backlog", ("waiting",), backlog.waiting)
    yield Sample("schedules_backlog", ("set_aside",), backlog.quarantined)
    overdue = now - backlog.oldest_due_at if backlog.oldest_due_at else timedelta(0)
    yield Sample("schedules_overdue_seconds", (), max(0.0, overdue.total_seconds()))
    yield Sample("schedules_publisher_present", (), bool(publishers := store.presence.present()))
    yield Sample("schedules_publishers", (), len(publishers.running) + len(publishers.leaving))


def _lag(store: HealthStore, now: datetime) -> Iterator[Sample]:
    since = store.work.pending_since()
    for origin in Origin:
        seconds = (now - since[origin]).total_seconds() if origin in since else 0.0
        yield Sample("schedules_lag_seconds", (origin.value,), max(0.0, seconds))


def _feed(store: HealthStore, _: datetime) -> Iterator[Sample]:
    yield Sample("schedules_known", (), store.feed.count_schedules())
    yield Sample("schedules_unrecorded_changes", (), store.feed.unrecorded())


def _rejected(store: HealthStore, _: datetime) -> Iterator[Sample]:
    yield Sample("schedules_refused_inputs", (), store.rejections.summary(0).total)


def _comparisons(store: HealthStore, _: datetime) -> Iterator[Sample]:
    """Every verdict of every compared service, zeros included, so that shares can be computed."""
    tally = store.comparisons.tally()
    for sid in sorted({sid for sid, _ in tally}):
        for verdict in Verdict:
            yield Sample("schedules_compared", (str(sid), verdict.value), tally.get((sid, verdict), 0))


def _passes(store: HealthStore, _: datetime) -> Iterator[Sample]:
    """Totals of every pass; times and counts only of those that have run."""
    records = store.passes.all()
    for name in PassName:
        record = records.get(name)
        yield Sample("schedules_pass_runs_total", (name.value,), record.runs if record else 0)
        yield Sample("schedules_pass_failures_total", (name.value,), record.failures if record else 0)
        yield Sample("schedules_pass_seconds_total", (name.value,), record.seconds if record else 0.0)
        if record is not None:
            yield from _latest_pass(name.value, record)


def _latest_pass(name: str, record: PassRecord) -> Iterator[Sample]:
    latest, success = record.latest, record.latest_success
    yield Sample("schedules_pass_last_seconds", (name,), latest.seconds)
    yield Sample("schedules_pass_last_timestamp_seconds", (name,), latest.ended_at.timestamp())
    if success is not None:
        yield Sample("schedules_pass_last_success_timestamp_seconds", (name,), success.ended_at.timestamp())
    for count, amount in latest.counts.items():
        yield Sample("schedules_pass_last_result", (name, count), amount)


def _coldstart(store: HealthStore, now: datetime) -> Iterator[Sample]:
    yield Sample("schedules_intake_paused", (), store.coldstarts.intake_is_paused())
    latest = store.coldstarts.latest()
    for stage in Stage:
        if not stage.is_final:
            is_in = latest is not None and latest.stage is stage
            yield Sample("schedules_coldstart_in_progress", (stage.value,), is_in)
    if latest is None:
        return
    yield Sample("schedules_coldstart_schedules", ("done",), latest.done)
    yield Sample("schedules_coldstart_schedules", ("left",), latest.left)
    yield Sample("schedules_coldstart_schedules", ("failed",), latest.failed)
    yield Sample("schedules_coldstart_rate", (), latest.rate(now))
    if latest.alive_at is not None:
        yield Sample("schedules_coldstart_alive_timestamp_seconds", (), latest.alive_at.timestamp())


def _alarms(store: HealthStore, _: datetime) -> Iterator[Sample]:
    for incident in store.incidents.latest():
        yield Sample("schedules_alarm_raised", (incident.name.value,), incident.is_open)


def _held(store: HealthStore, _: datetime) -> Iterator[Sample]:
    waiting = [loss.seconds for loss in list_holds(store.losses) if loss.verdict is None]
    yield Sample("schedules_held_seconds", (), sum(waiting))


def _polls(store: HealthStore, _: datetime) -> Iterator[Sample]:
    for queue, polls in store.queue_polls.all().items():
        if polls.polled_at is not None:
            polled_at = polls.polled_at.timestamp()
            yield Sample("schedules_queue_polled_timestamp_seconds", (queue.value,), polled_at)


def _usage(store: HealthStore, _: datetime) -> Iterator[Sample]:
    """Totals of the partners that have made requests."""
    for line, count in store.partners.usage_totals().items():
        match line.kind:
            case UsageKind.REQUESTS:
                labels = (line.partner, line.route, line.detail)
                yield Sample("schedules_delivery_requests_total", labels, count)
            case UsageKind.BYTES:
                yield Sample("schedules_delivery_bytes_total", (line.partner,), count)
            case UsageKind.PROBLEMS:
                yield Sample("schedules_delivery_problems_total", (line.partner, line.detail), count)
            case UsageKind.DEPRECATED:
                labels = (line.partner, line.route, line.detail)
                yield Sample("schedules_delivery_deprecated_total", labels, count)


def _push(store: HealthStore, now: datetime) -> Iterator[Sample]:
    epoch, last = store.coldstarts.epoch(), store.feed.last_position()
    for standing in store.subscriptions.all():
        labels, progress = (standing.subscription.name,), standing.progress
        lag = push_lag(standing, store.feed, last, epoch.id if epoch else "", now)
        yield Sample("schedules_push_lag_seconds", labels, lag.total_seconds())
        yield Sample("schedules_push_failures", labels, progress.failures)
        yield Sample("schedules_push_set_aside", labels, progress.quarantine is not None)


def _heartbeats(store: HealthStore, _: datetime) -> Iterator[Sample]:
    for process, at in store.heartbeats.all().items():
        yield Sample("schedules_delivery_pulse_timestamp_seconds", (process.value,), at.timestamp())


def _memory(store: HealthStore, _: datetime) -> Iterator[Sample]:
    hours = hours_until_full(store.memory_history.all())
    yield Sample("schedules_redis_until_full_seconds", (), inf if hours is None else hours * 3600)


_STORE_PARTS: Mapping[str, _Read] = {
    "counters": _counters,
    "durations": _durations,
    "backlog": _backlog,
    "lag": _lag,
    "feed": _feed,
    "refused": _rejected,
    "comparisons": _comparisons,
    "passes": _passes,
    "coldstart": _coldstart,
    "alarms": _alarms,
    "held": _held,
    "polls": _polls,
    "usage": _usage,
    "push": _push,
    "pulses": _heartbeats,
    "memory": _memory,
}
