"""The parts of a scrape: each reads one thing once and gives its samples. Nothing here remembers anything.

A part fails alone: what it would have shown is missing from that scrape, and
``schedules_scrape_errors`` says so. Names of metrics are those of :mod:`~schedules_pipeline.health.metrics.series`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.health.metrics.series import COUNTERS, DURATIONS, Sample
from schedules_pipeline.health.ports.queue_polls import QueueName
from schedules_pipeline.health.queue_age import oldest_message_age
from schedules_pipeline.maintenance.ports.coldstart import Stage
from schedules_pipeline.maintenance.ports.passes import PassName, PassRecord
from schedules_pipeline.migration.ports.comparisons import Verdict
from schedules_pipeline.partners.ports import UsageKind
from schedules_pipeline.publishing.ports.counters import Durations
from schedules_pipeline.publishing.ports.upstream import NotificationQueue
from schedules_pipeline.push.lag import push_lag

Part = Callable[[], list[Sample]]


def parts_of(pipeline: Pipeline) -> Mapping[str, Part]:
    """Every part by its name."""
    upstreams = pipeline.upstreams
    queues = {
        QueueName.SCHEDULE_EVENTS: (upstreams.schedule_queue, upstreams.schedule_dead_letters),
        QueueName.CATALOGUE_EVENTS: (upstreams.catalogue_queue, upstreams.catalogue_dead_letters),
    }
    readers: dict[str, Callable[[], Iterator[Sample]]] = {
        "counters": partial(_counters, pipeline),
        "durations": partial(_durations, pipeline),
        "backlog": partial(_backlog, pipeline),
        "lag": partial(_lag, pipeline),
        "feed": partial(_feed, pipeline),
        "refused": partial(_rejected, pipeline),
        "comparisons": partial(_comparisons, pipeline),
        "passes": partial(_passes, pipeline),
        "coldstart": partial(_coldstart, pipeline),
        "alarms": partial(_alarms, pipeline),
        "polls": partial(_polls, pipeline),
        "usage": partial(_usage, pipeline),
        "push": partial(_push, pipeline),
        "pulses": partial(_pulses, pipeline),
    }
    for name, (queue, dead_letters) in queues.items():
        readers[name] = partial(_queue, pipeline, name, queue)
        readers[f"{name}_dead_letters"] = partial(_dead_letters, name, dead_letters)
    return {name: partial(_all, reader) for name, reader in readers.items()}


def _all(reader: Callable[[], Iterator[Sample]]) -> list[Sample]:
    return list(reader())


def _counters(pipeline: Pipeline) -> Iterator[Sample]:
    """Also those that never counted anything, so that a rate is known from the first event on."""
    totals = pipeline.store.counters.all()
    for name, (metric, labels) in COUNTERS.items():
        yield Sample(metric, labels, totals.get(name, 0))


def _durations(pipeline: Pipeline) -> Iterator[Sample]:
    known = pipeline.store.counters.durations()
    for name, (metric, labels) in DURATIONS.items():
        yield Sample(metric, labels, known.get(name, Durations()))


def _backlog(pipeline: Pipeline) -> Iterator[Sample]:
    backlog = pipeline.store.work.backlog()
    yield Sample("schedules_backlog", ("dirty",), backlog.pending)
    yield Sample("schedules_backlog", ("in_progress",), backlog.in_progress)
    yield Sample("schedules_backlog", ("waiting",), backlog.waiting)
    yield Sample("schedules_backlog", ("set_aside",), backlog.quarantined)
    overdue = pipeline.clock() - backlog.oldest_due_at if backlog.oldest_due_at else timedelta(0)
    yield Sample("schedules_overdue_seconds", (), max(0.0, overdue.total_seconds()))
    yield Sample("schedules_publisher_present", (), bool(pipeline.store.presence.name()))


def _lag(pipeline: Pipeline) -> Iterator[Sample]:
    since, now = pipeline.store.work.pending_since(), pipeline.clock()
    for origin in Origin:
        seconds = (now - since[origin]).total_seconds() if origin in since else 0.0
        yield Sample("schedules_lag_seconds", (origin.value,), max(0.0, seconds))


def _feed(pipeline: Pipeline) -> Iterator[Sample]:
    yield Sample("schedules_known", (), pipeline.store.feed.count_schedules())
    yield Sample("schedules_unrecorded_changes", (), pipeline.store.feed.unrecorded())


def _rejected(pipeline: Pipeline) -> Iterator[Sample]:
    yield Sample("schedules_refused_inputs", (), pipeline.store.rejections.count())


def _comparisons(pipeline: Pipeline) -> Iterator[Sample]:
    """Every verdict of every service that there is, so that a share can be computed of any."""
    tally = pipeline.store.comparisons.tally()
    for sid in sorted({sid for sid, _ in tally}):
        for verdict in Verdict:
            yield Sample("schedules_compared", (str(sid), verdict.value), tally.get((sid, verdict), 0))


def _passes(pipeline: Pipeline) -> Iterator[Sample]:
    """A kind of pass that never ran has run and failed no times, and has no last time."""
    records = pipeline.store.passes.all()
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


def _coldstart(pipeline: Pipeline) -> Iterator[Sample]:
    """Nothing but that the intake goes on, where there never was a coldstart."""
    book = pipeline.store.coldstarts
    yield Sample("schedules_intake_paused", (), book.intake_is_paused())
    latest = book.latest()
    for stage in Stage:
        if not stage.is_final:
            is_in = latest is not None and latest.stage is stage
            yield Sample("schedules_coldstart_in_progress", (stage.value,), is_in)
    if latest is None:
        return
    yield Sample("schedules_coldstart_schedules", ("done",), latest.done)
    yield Sample("schedules_coldstart_schedules", ("left",), latest.left)
    yield Sample("schedules_coldstart_schedules", ("failed",), latest.failed)
    yield Sample("schedules_coldstart_rate", (), latest.rate(pipeline.clock()))
    if latest.alive_at is not None:
        yield Sample("schedules_coldstart_alive_timestamp_seconds", (), latest.alive_at.timestamp())


def _alarms(pipeline: Pipeline) -> Iterator[Sample]:
    for incident in pipeline.store.incidents.latest():
        yield Sample("schedules_alarm_raised", (incident.name.value,), incident.is_open)


def _polls(pipeline: Pipeline) -> Iterator[Sample]:
    for queue, notes in pipeline.store.queue_polls.all().items():
        if notes.polled_at is not None:
            polled_at = notes.polled_at.timestamp()
            yield Sample("schedules_queue_polled_timestamp_seconds", (queue.value,), polled_at)


def _usage(pipeline: Pipeline) -> Iterator[Sample]:
    """Of partners that have asked for something since they were entered."""
    for line, count in pipeline.store.partners.usage_totals().items():
        match line.kind:
            case UsageKind.REQUESTS:
                labels = (line.partner, line.route, line.detail)
                yield Sample("schedules_delivery_requests_total", labels, count)
            case UsageKind.BYTES:
                yield Sample("schedules_delivery_bytes_total", (line.partner,), count)
            case UsageKind.PROBLEMS:
                yield Sample("schedules_delivery_problems_total", (line.partner, line.detail), count)


def _push(pipeline: Pipeline) -> Iterator[Sample]:
    store, now = pipeline.store, pipeline.clock()
    epoch, last = store.coldstarts.epoch(), store.feed.last_position()
    for standing in store.subscriptions.all():
        labels, progress = (standing.subscription.name,), standing.progress
        lag = push_lag(standing, store.feed, last, epoch.id if epoch else "", now)
        yield Sample("schedules_push_lag_seconds", labels, lag.total_seconds())
        yield Sample("schedules_push_failures", labels, progress.failures)
        yield Sample("schedules_push_set_aside", labels, progress.quarantine is not None)


def _pulses(pipeline: Pipeline) -> Iterator[Sample]:
    for process, at in pipeline.store.heartbeats.all().items():
        yield Sample("schedules_delivery_pulse_timestamp_seconds", (process.value,), at.timestamp())


def _queue(pipeline: Pipeline, name: QueueName, queue: NotificationQueue) -> Iterator[Sample]:
    """The depth first: a poll that comes between the two makes the age smaller, never greater."""
    depth = queue.depth()
    notes = pipeline.store.queue_polls.all()[name]
    age = oldest_message_age(notes, depth, pipeline.clock())
    yield Sample("schedules_queue_messages", (name.value, "waiting"), depth.waiting)
    yield Sample("schedules_queue_messages", (name.value, "in_flight"), depth.in_flight)
    yield Sample("schedules_queue_oldest_message_age_seconds", (name.value,), age.total_seconds())


def _dead_letters(name: QueueName, queue: NotificationQueue) -> Iterator[Sample]:
    depth = queue.depth()
    yield Sample("schedules_dead_letters", (name.value,), depth.waiting + depth.in_flight)
