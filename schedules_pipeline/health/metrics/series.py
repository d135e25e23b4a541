"""The register of metrics: every name, kind, label and meaning, and which counter of the store is shown as which.

Pure. ``docs/reference/metrics.md`` says the same for people; tests compare the two, and the counters with the code that
counts. Names follow Prometheus: base units, ``_total`` for what only grows.
"""

from dataclasses import dataclass
from enum import StrEnum

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.health.ports.queue_polls import QueueName
from schedules_pipeline.publishing.ports.counters import Counter, Durations, Timer


class MetricKind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series. ``help`` is shown with every scrape."""

    name: str
    kind: MetricKind
    labels: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a family; ``labels`` are values in the order of the family's labels. A histogram's value is
    :class:`~schedules_pipeline.publishing.ports.counters.Durations`, any other's a number.
    """

    metric: str
    labels: tuple[str, ...]
    value: float | Durations


def _counter(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"schedules_{name}_total", MetricKind.COUNTER, labels, meaning)


def _gauge(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"schedules_{name}", MetricKind.GAUGE, labels, meaning)


def _histogram(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"schedules_{name}_seconds", MetricKind.HISTOGRAM, labels, meaning)


_ALL = (
    # What comes in.
    _counter("notifications_received", ("queue",), "Messages received, redelivered ones again."),
    _counter("notifications_handled", ("queue", "kind"), "What messages said; of catalogue updates, items."),
    _counter("notifications_refused", ("queue",), "Messages that say nothing that we understand."),
    _counter("ignored", ("queue", "reason"), "What messages said that led to nothing, and why."),
    _counter(
        "documents_refused", ("kind",), "Documents that were not accepted; what was there before stayed."
    ),
    _gauge("refused_inputs", (), "Messages, documents and items that are kept aside as refused now."),
    # What comes out.
    _counter("outcomes", ("outcome",), "Builds of a schedule, by what came of them."),
    _histogram(
        "time_to_published", ("origin",), "From the oldest notification to the version that answers it."
    ),
    _gauge(
        "lag_seconds", ("origin",), "Since the oldest notification that no build has answered; 0 for none."
    ),
    _gauge("known", (), "Schedules that are published, and removals that are not forgotten yet."),
    _gauge("unrecorded_changes", (), "Rows of the change feed that Dagster has no record of yet."),
    # What waits.
    _gauge(
        "backlog", ("state",), "Schedules that are dirty, in progress, waiting for a retry, or set aside."
    ),
    _gauge("overdue_seconds", (), "For how long the most urgent dirty schedule has been due; 0 for none."),
    _gauge("publisher_present", (), "1 where a publisher is at work or has been booked, else 0."),
    _gauge("queue_messages", ("queue", "state"), "Messages that wait, or are in flight; about right."),
    _gauge("queue_oldest_message_age_seconds", ("queue",), "How long the oldest message waits, at the most."),
    _gauge("queue_polled_timestamp_seconds", ("queue",), "When the latest poll of the queue began."),
    _gauge(
        "dead_letters", ("queue",), "Messages that nobody could handle, in the queue's dead-letter queue."
    ),
    _gauge("intake_paused", (), "1 while a coldstart has stopped the intake, else 0."),
    # How it does.
    _histogram("workflow", ("workflow",), "How long one round of a workflow took."),
    _counter("workflow_failures", ("workflow",), "Rounds of a workflow that failed, and are done again."),
    _gauge("compared", ("service", "verdict"), "Schedules, by how they compare with the old system."),
    _counter("pass_runs", ("pass",), "Full passes that ended."),
    _counter("pass_failures", ("pass",), "Full passes that ended with a problem."),
    _counter("pass_seconds", ("pass",), "How long full passes took, together."),
    _gauge("pass_last_seconds", ("pass",), "How long the latest pass took."),
    _gauge("pass_last_timestamp_seconds", ("pass",), "When the latest pass ended."),
    _gauge("pass_last_success_timestamp_seconds", ("pass",), "When the latest pass ended that succeeded."),
    _gauge("pass_last_result", ("pass", "count"), "What the latest pass found and did."),
    # The coldstart that is open, or else the latest.
    _gauge("coldstart_in_progress", ("stage",), "1 for the stage of a coldstart that has not ended, else 0."),
    _gauge(
        "coldstart_schedules", ("state",), "Schedules of the latest coldstart, by whether they are built."
    ),
    _gauge("coldstart_rate", (), "Schedules a second of the latest coldstart since building began."),
    _gauge("coldstart_alive_timestamp_seconds", (), "When somebody last worked at the latest coldstart."),
    # Who was told.
    _gauge("alarm_raised", ("alarm",), "1 for an alarm that is raised, 0 for one that has been and is over."),
    _counter("alarm_notices", ("result",), "Notices of alarms, by whether they were taken."),
    # What partners ask for.
    _counter("delivery_requests", ("partner", "route", "status"), "Requests that were answered, or refused."),
    _counter("delivery_bytes", ("partner",), "Bytes of the bodies of answers."),
    _counter("delivery_problems", ("partner", "problem"), "Problem documents that were given as answers."),
    # Who is told of changes by us.
    _gauge(
        "push_lag_seconds",
        ("subscription",),
        "How long the oldest change waits that it was not told of; 0 for none.",
    ),
    _gauge("push_failures", ("subscription",), "Attempts in a row that were not taken."),
    _gauge(
        "push_set_aside",
        ("subscription",),
        "1 where it is told nothing until an operator resumes it, else 0.",
    ),
    # Who is at work.
    _gauge(
        "delivery_pulse_timestamp_seconds",
        ("process",),
        "When a round of such a process last went well, for those that ever ran.",
    ),
    # The scrape itself.
    _gauge("scrape_errors", ("part",), "1 for a part of this scrape that could not be read, else 0."),
)

METRICS = {metric.name: metric for metric in _ALL}
"""Every metric by its name, in the order of the document."""

_SCHEDULE, _CATALOGUE = QueueName.SCHEDULE_EVENTS.value, QueueName.CATALOGUE_EVENTS.value
_RECEIVED, _HANDLED = "schedules_notifications_received_total", "schedules_notifications_handled_total"
_REJECTED, _IGNORED = "schedules_notifications_refused_total", "schedules_ignored_total"
_OUTCOMES, _FAILURES = "schedules_outcomes_total", "schedules_workflow_failures_total"

COUNTERS = {
    Counter.SCHEDULE_MESSAGES_RECEIVED: (_RECEIVED, (_SCHEDULE,)),
    Counter.CATALOGUE_MESSAGES_RECEIVED: (_RECEIVED, (_CATALOGUE,)),
    Counter.SCHEDULE_PUTS: (_HANDLED, (_SCHEDULE, "put")),
    Counter.SCHEDULE_REMOVALS: (_HANDLED, (_SCHEDULE, "removal")),
    Counter.CATALOGUE_UPDATES: (_HANDLED, (_CATALOGUE, "update")),
    Counter.CATALOGUE_DELETES: (_HANDLED, (_CATALOGUE, "delete")),
    Counter.SCHEDULE_MESSAGES_REJECTED: (_REJECTED, (_SCHEDULE,)),
    Counter.CATALOGUE_MESSAGES_REJECTED: (_REJECTED, (_CATALOGUE,)),
    Counter.SCHEDULE_MESSAGES_IGNORED: (_IGNORED, (_SCHEDULE, "names no schedule")),
    Counter.CATALOGUE_UNREFERENCED: (_IGNORED, (_CATALOGUE, "nobody refers to it")),
    Counter.CATALOGUE_UNCHANGED: (_IGNORED, (_CATALOGUE, "no used field changed")),
    Counter.CATALOGUE_ABSENT: (_IGNORED, (_CATALOGUE, "no document")),
    Counter.SCHEDULE_DOCUMENTS_REJECTED: ("schedules_documents_refused_total", ("schedule",)),
    Counter.CATALOGUE_DOCUMENTS_REJECTED: ("schedules_documents_refused_total", ("catalogue",)),
    Counter.SCHEDULES_PUBLISHED: (_OUTCOMES, ("published",)),
    Counter.SCHEDULES_UNCHANGED: (_OUTCOMES, ("unchanged",)),
    Counter.SCHEDULES_SUPERSEDED: (_OUTCOMES, ("superseded",)),
    Counter.ALARM_NOTICES_SENT: ("schedules_alarm_notices_total", ("sent",)),
    Counter.ALARM_NOTICES_FAILED: ("schedules_alarm_notices_total", ("not taken",)),
    Counter.SCHEDULE_INTAKES_FAILED: (_FAILURES, ("schedule_intake",)),
    Counter.CATALOGUE_INTAKES_FAILED: (_FAILURES, ("catalogue_intake",)),
    Counter.BATCHES_FAILED: (_FAILURES, ("publish",)),
}
"""By counter: the metric and the values of its labels."""

DURATIONS = {
    Timer.SCHEDULE_INTAKE: ("schedules_workflow_seconds", ("schedule_intake",)),
    Timer.CATALOGUE_INTAKE: ("schedules_workflow_seconds", ("catalogue_intake",)),
    Timer.BATCH: ("schedules_workflow_seconds", ("publish",)),
    **{
        Timer.published_after(origin): ("schedules_time_to_published_seconds", (origin.value,))
        for origin in Origin
    },
}
"""By timer: the metric and the values of its labels."""
