"""The register of metrics: names, kinds, labels and meanings, and the metric of each counter in the store. Pure.

Tests compare it with the reference of metrics in the documents, and the counters with the code that counts. Names
follow Prometheus: base units, and ``_total`` for counters.
"""

from dataclasses import dataclass
from enum import StrEnum

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.publishing.ports.counters import Counter, Durations, Timer


class MetricKind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series. ``help`` is part of every scrape."""

    name: str
    kind: MetricKind
    labels: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a family, with the label values in the family's order. The value of a histogram is
    :class:`~schedules_pipeline.publishing.ports.counters.Durations`.
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
    # Input.
    _counter("notifications_received", ("queue",), "Messages received, redeliveries included."),
    _counter(
        "notifications_handled",
        ("queue", "kind"),
        "Changes named by messages; catalogue updates are counted by item.",
    ),
    _counter("notifications_refused", ("queue",), "Messages that were rejected."),
    _counter("ignored", ("queue", "reason"), "Changes named by messages that had no effect, by reason."),
    _counter(
        "documents_held",
        (),
        "Builds that held a loss of airtime back.",
    ),
    _counter("documents_refused", ("kind",), "Documents that were rejected; the last good one stayed."),
    _gauge("refused_inputs", (), "Rejected messages, documents and items on the list of rejections."),
    _counter("rejections_evicted", ("kind",), "Rejections that a later one displaced from the full list."),
    # Output.
    _counter("outcomes", ("outcome",), "Builds of a schedule, by outcome."),
    _histogram(
        "time_to_published", ("origin",), "From the oldest notification to the version that it caused."
    ),
    _gauge("lag_seconds", ("origin",), "Since the oldest pending notification; 0 for none."),
    _gauge("known", (), "Published schedules, and removals that are still remembered."),
    _gauge("unrecorded_changes", (), "Rows of the change feed that are not recorded in Dagster yet."),
    # Backlog.
    _gauge(
        "backlog", ("state",), "Schedules that are pending, in progress, waiting for a retry, or quarantined."
    ),
    _gauge("overdue_seconds", (), "How long the most urgent pending schedule has been due; 0 for none."),
    _gauge("publisher_present", (), "1 if a publisher is at work or starting, else 0."),
    _gauge("publishers", (), "Number of publishers that run."),
    _gauge("queue_messages", ("queue", "state"), "Messages that wait or are in flight, approximately."),
    _gauge(
        "queue_oldest_message_age_seconds", ("queue",), "How long the oldest message has waited, at most."
    ),
    _gauge("queue_polled_timestamp_seconds", ("queue",), "When the latest poll of the queue began."),
    _gauge("dead_letters", ("queue",), "Messages in the dead-letter queue of the queue."),
    _gauge("intake_paused", (), "1 while a coldstart has stopped the intake, else 0."),
    # Workflows.
    _histogram("workflow", ("workflow",), "Duration of one round of a workflow."),
    _counter("workflow_failures", ("workflow",), "Rounds of a workflow that failed and are retried."),
    _gauge("compared", ("service", "verdict"), "Schedules by their comparison with the old system."),
    _counter("pass_runs", ("pass",), "Full passes that ended."),
    _counter("pass_failures", ("pass",), "Full passes that ended with a problem."),
    _counter("pass_seconds", ("pass",), "Total duration of full passes."),
    _gauge("pass_last_seconds", ("pass",), "Duration of the latest pass."),
    _gauge("pass_last_timestamp_seconds", ("pass",), "When the latest pass ended."),
    _gauge("pass_last_success_timestamp_seconds", ("pass",), "When the latest successful pass ended."),
    _gauge("pass_last_result", ("pass", "count"), "Results of the latest pass."),
    # The open coldstart, or else the latest.
    _gauge("coldstart_in_progress", ("stage",), "1 for the stage of a coldstart that has not ended, else 0."),
    _gauge("coldstart_schedules", ("state",), "Schedules of the latest coldstart, by state."),
    _gauge("coldstart_rate", (), "Schedules a second of the latest coldstart since building began."),
    _gauge(
        "coldstart_alive_timestamp_seconds", (), "When a worker last made progress with the latest coldstart."
    ),
    # Conditions and notices.
    _gauge("condition", ("name", "severity"), "1 for a condition that holds, 0 for one that does not."),
    _gauge("held_seconds", (), "Airtime that is held and waits for a decision."),
    _gauge("alarm_raised", ("alarm",), "Until 0.3: schedules_condition replaces it."),
    _counter("alarm_notices", ("result",), "Notices of alarms, by whether they were accepted."),
    # Delivery to partners.
    _counter("delivery_requests", ("partner", "route", "status"), "Requests, rejected ones included."),
    _counter("delivery_bytes", ("partner",), "Bytes of response bodies."),
    _counter("delivery_problems", ("partner", "problem"), "Problem documents sent as responses."),
    _counter(
        "delivery_deprecated",
        ("partner", "route", "parameter"),
        "Requests of a deprecated route, or with a deprecated parameter.",
    ),
    # Push to subscribers.
    _gauge(
        "push_lag_seconds",
        ("subscription",),
        "Age of the oldest change that was not delivered to it; 0 for none.",
    ),
    _gauge("push_failures", ("subscription",), "Failed attempts in a row."),
    _gauge(
        "push_set_aside",
        ("subscription",),
        "1 if it is quarantined until an operator resumes it, else 0.",
    ),
    # Processes.
    _gauge(
        "delivery_pulse_timestamp_seconds",
        ("process",),
        "The last heartbeat of a process of this kind.",
    ),
    _gauge(
        "redis_until_full_seconds",
        (),
        "Time until Redis reaches its maxmemory at the growth of the latest day; +Inf if no end is in sight.",
    ),
    # The scrape itself.
    _gauge("scrape_errors", ("part",), "1 for a part of this scrape that failed, else 0."),
)

METRICS = {metric.name: metric for metric in _ALL}
"""Every metric by its name, in the order of the reference."""

_SCHEDULE, _CATALOGUE = QueueName.SCHEDULE_EVENTS.value, QueueName.CATALOGUE_EVENTS.value
_RECEIVED, _HANDLED = "schedules_notifications_received_total", "schedules_notifications_handled_total"
_REJECTED, _IGNORED = "schedules_notifications_refused_total", "schedules_ignored_total"
_EVICTED = "schedules_rejections_evicted_total"
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
    Counter.SCHEDULE_DOCUMENTS_HELD: ("schedules_documents_held_total", ()),
    Counter.CATALOGUE_DOCUMENTS_REJECTED: ("schedules_documents_refused_total", ("catalogue",)),
    Counter.SCHEDULES_PUBLISHED: (_OUTCOMES, ("published",)),
    Counter.SCHEDULES_UNCHANGED: (_OUTCOMES, ("unchanged",)),
    Counter.SCHEDULES_SUPERSEDED: (_OUTCOMES, ("superseded",)),
    Counter.REJECTED_MESSAGES_EVICTED: (_EVICTED, ("message",)),
    Counter.REJECTED_ITEMS_EVICTED: (_EVICTED, ("item",)),
    Counter.ALARM_NOTICES_SENT: ("schedules_alarm_notices_total", ("sent",)),
    Counter.ALARM_NOTICES_FAILED: ("schedules_alarm_notices_total", ("not taken",)),
    Counter.SCHEDULE_INTAKES_FAILED: (_FAILURES, ("schedule_intake",)),
    Counter.CATALOGUE_INTAKES_FAILED: (_FAILURES, ("catalogue_intake",)),
    Counter.BATCHES_FAILED: (_FAILURES, ("publish",)),
}
"""The metric and label values of each counter in the store."""

DURATIONS = {
    Timer.SCHEDULE_INTAKE: ("schedules_workflow_seconds", ("schedule_intake",)),
    Timer.CATALOGUE_INTAKE: ("schedules_workflow_seconds", ("catalogue_intake",)),
    Timer.BATCH: ("schedules_workflow_seconds", ("publish",)),
    **{
        Timer.published_after(origin): ("schedules_time_to_published_seconds", (origin.value,))
        for origin in Origin
    },
}
"""The metric and label values of each duration in the store."""
