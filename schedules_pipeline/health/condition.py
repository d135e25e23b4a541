"""Conditions: their names, how severe each is, and what to do. Pure.

A *condition* is a problem that holds now. Every view of health renders the same list of conditions: ``status``,
``doctor``, ``/health``, the check in Dagster, the metric ``schedules_condition``, and the notices to operators.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

Details = Mapping[str, str | int | float]


class Severity(StrEnum):
    """``CRITICAL``: viewers see it today. ``ERROR``: partners see, or may soon see, old or wrong schedules.
    ``WARNING``: to be checked in office hours.
    """

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"

    def exceeds(self, other: "Severity") -> bool:
        """Whether this one is worse. A condition that grows worse is announced again."""
        return self.rank < other.rank

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class ConditionName(StrEnum):
    """Each name is also the heading of a page in the runbook."""

    STORE_UNREACHABLE = "store-unreachable"
    REDIS_EVICTS = "redis-evicts"
    REDIS_IS_A_REPLICA = "redis-is-a-replica"
    REDIS_NOT_DURABLE = "redis-not-durable"
    REDIS_REPLICATION_LOST = "redis-replication-lost"
    REDIS_MEMORY = "redis-memory"
    REDIS_WENT_BACK = "redis-went-back"
    KEYSPACE_EMPTY = "keyspace-empty"
    PARTNERS_GONE = "partners-gone"
    UPSTREAM_UNREACHABLE = "upstream-unreachable"
    PUBLISHER_MISSING = "publisher-missing"
    BACKLOG_GROWING = "backlog-growing"
    SCHEDULES_LATE = "schedules-late"
    RECORDS_LATE = "records-late"
    SCHEDULES_QUARANTINED = "schedules-quarantined"
    QUEUE_NOT_DRAINED = "queue-not-drained"
    QUEUE_MISCONFIGURED = "queue-misconfigured"
    EVENTS_UNSUBSCRIBED = "events-unsubscribed"
    DEAD_LETTERS = "dead-letters"
    INPUT_REJECTED = "input-rejected"
    AIRTIME_HELD = "airtime-held"
    BLANKING_UNUSUAL = "blanking-unusual"
    BROADCASTS_QUARANTINED = "broadcasts-quarantined"
    CHECKS_FAILED = "checks-failed"
    DIFFERS_FROM_THE_OLD_SYSTEM = "differs-from-the-old-system"
    OLD_SYSTEM_SILENT = "old-system-silent"
    WATCH_SILENT = "watch-silent"
    DAEMON_SILENT = "daemon-silent"
    SENSORS_OFF = "sensors-off"
    RUNS_FAILED = "runs-failed"
    PASS_FAILED = "pass-failed"  # noqa: S105 - not a password
    STATE_EXPORT_OLD = "state-export-old"
    COLLECTION_MISSED = "collection-missed"
    RECONCILIATION_MISSED = "reconciliation-missed"
    RECONCILIATION_FOUND_DIFFERENCES = "reconciliation-found-differences"
    COLDSTART_AUTOMATIC = "coldstart-automatic"
    COLDSTART_STALLED = "coldstart-stalled"
    SUBSCRIPTIONS_QUARANTINED = "subscriptions-quarantined"
    DELIVERY_SILENT = "delivery-silent"

    @classmethod
    def _missing_(cls, value: object) -> "ConditionName | None":
        """Names of release 0.2, which stored incidents may have."""
        return _FORMER_NAMES.get(str(value))


_FORMER_NAMES = {
    "schedules-set-aside": ConditionName.SCHEDULES_QUARANTINED,
    "input-refused": ConditionName.INPUT_REJECTED,
    "coldstart-by-itself": ConditionName.COLDSTART_AUTOMATIC,
    "push-set-aside": ConditionName.SUBSCRIPTIONS_QUARANTINED,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A problem that holds now.

    ``subject``: what it is about, such as a queue, schedules, or Redis. ``since``: from evidence; None if unknown.
    ``remedy``: what to do, in one sentence, with a command where one helps. ``patience``: how long the condition may
    last before an operator is told.
    """

    name: ConditionName
    severity: Severity
    subject: str
    summary: str
    since: datetime | None = None
    evidence: Details = field(default_factory=dict)
    remedy: str = ""
    patience: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of one check, at most one condition for each name.

    ``undecided``: conditions that it could not judge, because a source did not answer.
    """

    conditions: tuple[Condition, ...] = ()
    undecided: frozenset[ConditionName] = frozenset()


@dataclass(frozen=True, slots=True)
class Kind:
    """What all conditions of one name have in common. ``severity``: the usual one."""

    severity: Severity
    remedy: str
    patience: timedelta = timedelta(0)


_TWO_CHECKS = timedelta(seconds=20)
"""Less than the time between two checks, so a condition found by two in a row has lasted this long."""

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

KINDS: Mapping[ConditionName, Kind] = {
    ConditionName.STORE_UNREACHABLE: Kind(
        _ERROR, "Bring Redis back; every process continues without a restart."
    ),
    ConditionName.REDIS_EVICTS: Kind(_ERROR, "Set `maxmemory-policy noeviction`, then reconcile everything."),
    ConditionName.REDIS_IS_A_REPLICA: Kind(
        _ERROR, "Point `SCHEDULES_REDIS_URL` at the primary.", _TWO_CHECKS
    ),
    ConditionName.REDIS_NOT_DURABLE: Kind(
        _WARNING, "Set `appendonly yes`, give it a replica, or make room on its disk."
    ),
    ConditionName.REDIS_REPLICATION_LOST: Kind(
        _WARNING, "Bring the replicas back, and read their log.", _TWO_CHECKS
    ),
    ConditionName.REDIS_MEMORY: Kind(
        _WARNING, "Raise `maxmemory`, or keep less: see the sizing formula in the documents."
    ),
    ConditionName.REDIS_WENT_BACK: Kind(
        _ERROR, "The repair runs by itself; find out why Redis failed over or lost writes."
    ),
    ConditionName.KEYSPACE_EMPTY: Kind(
        _ERROR,
        "If it had partners, restore its state first; then fill it with `schedules-pipeline coldstart`.",
        timedelta(minutes=2),
    ),
    ConditionName.PARTNERS_GONE: Kind(
        _ERROR,
        "Restore its state with `schedules-pipeline state import s3://<bucket>/state/`, before a coldstart.",
    ),
    ConditionName.UPSTREAM_UNREACHABLE: Kind(
        _ERROR, "Repair what the error names: credentials, a name, or the network.", _TWO_CHECKS
    ),
    ConditionName.PUBLISHER_MISSING: Kind(
        _ERROR, "Switch the sensors on, or launch the job `publish_affected` in Dagster.", _TWO_CHECKS
    ),
    ConditionName.BACKLOG_GROWING: Kind(
        _WARNING, "Read the batches in the publisher's log; raise SCHEDULES_MOST_PUBLISHERS."
    ),
    ConditionName.SCHEDULES_LATE: Kind(
        _ERROR, "Follow one schedule with `schedules-pipeline why <sid>/<date>`."
    ),
    ConditionName.RECORDS_LATE: Kind(
        _WARNING,
        "Read standard error of the run of `publish_affected`; see whether Dagster's database answers.",
    ),
    ConditionName.SCHEDULES_QUARANTINED: Kind(
        _ERROR, "Read the reasons with `schedules-pipeline quarantine list`, then release them."
    ),
    ConditionName.QUEUE_NOT_DRAINED: Kind(
        _ERROR, "Switch on the sensors `schedule_events` and `catalogue_events` and read their ticks."
    ),
    ConditionName.QUEUE_MISCONFIGURED: Kind(
        _ERROR, "Set the attributes that the deployment guide lists; the queue was probably made anew."
    ),
    ConditionName.EVENTS_UNSUBSCRIBED: Kind(
        _ERROR,
        "See what is missing with `schedules-pipeline doctor`, restore it, then `schedules-pipeline reconcile --all`.",
        timedelta(minutes=2),
    ),
    ConditionName.DEAD_LETTERS: Kind(
        _ERROR, "Read the reasons with `schedules-pipeline dead-letters list`, then replay or delete them."
    ),
    ConditionName.INPUT_REJECTED: Kind(
        _WARNING, "Read the reasons with `schedules-pipeline rejected list` and tell the sender."
    ),
    ConditionName.AIRTIME_HELD: Kind(
        _WARNING, "Decide: `schedules-pipeline holds list`, then `holds confirm <id>` or `holds reject <id>`."
    ),
    ConditionName.BLANKING_UNUSUAL: Kind(_WARNING, "Ask the senders whether the blanking is intended."),
    ConditionName.BROADCASTS_QUARANTINED: Kind(
        _WARNING,
        "Tell the sender which broadcasts cannot be read; `schedules-pipeline why <sid>/<date>` names them.",
    ),
    ConditionName.CHECKS_FAILED: Kind(_ERROR, "Read the failed checks of the partition in Dagster."),
    ConditionName.DIFFERS_FROM_THE_OLD_SYSTEM: Kind(
        _ERROR,
        "Compare with `schedules-pipeline parity`; a switched partner sees the pipeline's version.",
    ),
    ConditionName.OLD_SYSTEM_SILENT: Kind(
        _ERROR,
        "Tell the team of the old system; `schedules-pipeline switch ours --dry-run` says what a switch would change.",
    ),
    ConditionName.WATCH_SILENT: Kind(
        _ERROR,
        "Start Dagster's daemon and code server, and switch on the sensor `watch`.",
        timedelta(minutes=1),
    ),
    ConditionName.DAEMON_SILENT: Kind(_ERROR, "Restart `dagster-daemon`.", timedelta(minutes=1)),
    ConditionName.SENSORS_OFF: Kind(_ERROR, "Switch them on in Dagster, under Automation.", _TWO_CHECKS),
    ConditionName.RUNS_FAILED: Kind(_ERROR, "Read the run in Dagster and launch the job again."),
    ConditionName.PASS_FAILED: Kind(_WARNING, "Repair what the problem names; the pass is repeated."),
    ConditionName.STATE_EXPORT_OLD: Kind(
        _WARNING,
        "Switch on `export_state_timer` in Dagster, or use `schedules-pipeline state export -o state.json`.",
    ),
    ConditionName.COLLECTION_MISSED: Kind(
        _WARNING, "Switch on `collect_garbage_timer`, or `schedules-pipeline collect`."
    ),
    ConditionName.RECONCILIATION_MISSED: Kind(
        _WARNING, "Switch on `reconcile_timer`, or `schedules-pipeline reconcile`."
    ),
    ConditionName.RECONCILIATION_FOUND_DIFFERENCES: Kind(
        _ERROR, "Find out which notifications or writes were lost; the differences are repaired."
    ),
    ConditionName.COLDSTART_AUTOMATIC: Kind(
        _ERROR, "Let it run; find out why the keyspace was lost or stepped back."
    ),
    ConditionName.COLDSTART_STALLED: Kind(
        _ERROR, "Switch on `coldstart_control`, or work with `schedules-pipeline coldstart --here`."
    ),
    ConditionName.SUBSCRIPTIONS_QUARANTINED: Kind(
        _ERROR, "Ask the partner to repair its receiver, then `schedules-pipeline push resume <name>`."
    ),
    ConditionName.DELIVERY_SILENT: Kind(_ERROR, "Restart the process that is named.", _TWO_CHECKS),
}


def make_condition(
    name: ConditionName,
    subject: str,
    summary: str,
    evidence: Details | None = None,
    since: datetime | None = None,
    severity: Severity | None = None,
) -> Condition:
    """A condition with what its :class:`Kind` says, at this severity if it is not the usual one."""
    kind = KINDS[name]
    return Condition(
        name, severity or kind.severity, subject, summary, since, evidence or {}, kind.remedy, kind.patience
    )
