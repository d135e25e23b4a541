"""Finds root causes: which fault explains which. Pure.

A *fault* is an open condition or a failed probe. A rule says that faults of one name explain those of another, if they
share a subject or in any case. Every fault has at most one explanation, the nearest, and a fault without one is a root.
Of several causes that do not explain each other, the order of the rules decides: first those of the same subject, then
those that usually have more effects.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from schedules_pipeline.health.condition import Condition, ConditionName, Severity
from schedules_pipeline.health.probes.probe import ProbeName, ProbeResult, Verdict
from schedules_pipeline.health.wording import count

FaultName = ConditionName | ProbeName


@dataclass(frozen=True, slots=True)
class Fault:
    """``text``: a clause, such as ``57 messages wait in catalogue_events``. ``remedy``: what to do, also a clause."""

    name: FaultName
    severity: Severity
    subjects: frozenset[str]
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A fault, and the faults that it explains."""

    fault: Fault
    effects: tuple["Explanation", ...] = ()

    @property
    def sentence(self) -> str:
        """``the sensor … is off, so 57 messages wait, so 21 schedules differ: switch it on``."""
        return f"{self.chain}: {self.fault.remedy}" if self.fault.remedy else self.chain

    @property
    def chain(self) -> str:
        """The sentence without the remedy. Effects that explain more come last, so that it reads on."""
        effects = sorted(self.effects, key=lambda effect: bool(effect.effects))
        listed = " and ".join(effect.chain for effect in effects)
        return f"{self.fault.text}, so {listed}" if listed else self.fault.text

    @property
    def severity(self) -> Severity:
        """The worst of the fault and its effects."""
        return min((fault.severity for fault in self.faults()), key=lambda severity: severity.rank)

    def faults(self) -> Iterator[Fault]:
        """The root first, every effect after its cause."""
        yield self.fault
        for effect in self.effects:
            yield from effect.faults()


def diagnose(faults: Sequence[Fault]) -> tuple[Explanation, ...]:
    """The root causes, the most severe first, each with everything that it explains."""
    effects: dict[Fault, list[Fault]] = defaultdict(list)
    roots: list[Fault] = []
    for fault in dict.fromkeys(faults):
        cause = _nearest_cause(fault, faults)
        (roots if cause is None else effects[cause]).append(fault)

    def explain(fault: Fault) -> Explanation:
        return Explanation(fault, tuple(map(explain, effects[fault])))

    explained = [explain(root) for root in roots]
    return tuple(sorted(explained, key=lambda each: each.severity.rank))


def find_faults(conditions: Iterable[Condition], results: Iterable[ProbeResult]) -> list[Fault]:
    """One fault for each condition, or for each of its queues or sensors; and for each failed finding of a probe."""
    faults = [fault for condition in conditions for fault in _faults_of(condition)]
    faults += [
        Fault(result.name, Severity.ERROR, frozenset({finding.subject}), finding.text, finding.remedy)
        for result in results
        for finding in result.findings
        if finding.verdict is Verdict.FAILED
    ]
    return faults


def find_cause(name: FaultName, subject: str, faults: Sequence[Fault]) -> Fault | None:
    """The fault that would explain one of this name and subject."""
    return _nearest_cause(Fault(name, Severity.ERROR, frozenset({subject}), ""), faults)


# What explains what

Rule = Callable[[Fault, Fault], bool]


def _always(*_: Fault) -> bool:
    return True


def _same_subject(cause: Fault, effect: Fault) -> bool:
    return not cause.subjects.isdisjoint(effect.subjects)


def _about(*subjects: str) -> Rule:
    """If the cause is about one of these."""
    return lambda cause, _: not cause.subjects.isdisjoint(subjects)


def _is_severe(cause: Fault, _: Fault) -> bool:
    """Not a warning, which foretells a fault."""
    return cause.severity is not Severity.WARNING


def _is_critical(cause: Fault, _: Fault) -> bool:
    """Redis has deleted keys; less severe, it only would."""
    return cause.severity is Severity.CRITICAL


def _both_queues(cause: Fault, _: Fault) -> bool:
    """A publisher is started by either sensor, so one alone explains nothing."""
    return cause.subjects >= {"schedule_events", "catalogue_events"}


def _lacks_ticks(cause: Fault, effect: Fault) -> bool:
    """A silent daemon explains sensors that do not tick, and not those that an operator has switched off."""
    return _about("SENSOR")(cause, effect) and _NO_TICK in effect.text


def _is_its_job(cause: Fault, effect: Fault) -> bool:
    """Whether a failed run is that of a failed pass."""
    return any(_JOBS.get(name) in effect.subjects for name in cause.subjects)


_JOBS = {
    "collection": "collect_garbage",
    "reconciliation": "reconcile",
    "coldstart": "coldstart",
    "retention": "prune_records",
    "state_export": "export_state",
}
_C, _P = ConditionName, ProbeName
_NO_REDIS: Mapping[FaultName, Rule] = {_C.STORE_UNREACHABLE: _always, _P.REDIS_ACCEPTS_WRITES: _always}
_NO_S3: Mapping[FaultName, Rule] = {_P.S3_ANSWERS: _always}

_NO_DAEMON: Mapping[FaultName, Rule] = {_C.DAEMON_SILENT: _about("SENSOR")}
_NO_TIMERS: Mapping[FaultName, Rule] = {_C.DAEMON_SILENT: _about("SCHEDULER")}
_CHANGES_ARE_LATE: Mapping[FaultName, Rule] = {
    _C.QUEUE_NOT_DRAINED: _always,
    _P.SUBSCRIPTIONS: _always,
    _P.BUCKET_EVENTS: _always,
    _P.CATALOGUE_ANSWERS: _always,
    _C.KEYSPACE_EMPTY: _always,
    _C.EVENTS_UNSUBSCRIBED: _always,
    _C.REDIS_WENT_BACK: _always,
    _C.REDIS_EVICTS: _is_critical,
}

EXPLAINED_BY: Mapping[FaultName, Mapping[FaultName, Rule]] = {
    _P.REDIS_ACCEPTS_WRITES: {
        _C.STORE_UNREACHABLE: _always,
        _C.REDIS_IS_A_REPLICA: _always,
        _C.REDIS_MEMORY: _is_severe,
        _C.REDIS_NOT_DURABLE: _is_severe,
        _C.REDIS_REPLICATION_LOST: _is_severe,
    },
    _C.REDIS_NOT_DURABLE: {_C.REDIS_REPLICATION_LOST: _always},
    _C.COLDSTART_AUTOMATIC: {_C.REDIS_WENT_BACK: _is_severe, _C.REDIS_EVICTS: _is_critical},
    _P.DELIVERY_ANSWERS: {_C.DELIVERY_SILENT: _about("delivery"), _C.KEYSPACE_EMPTY: _always},
    _C.DELIVERY_SILENT: _NO_REDIS,
    _P.LEGACY_ANSWERS: {_C.UPSTREAM_UNREACHABLE: _about("the legacy keyspace")},
    _C.OLD_SYSTEM_SILENT: {
        _P.LEGACY_ANSWERS: _always,
        _C.UPSTREAM_UNREACHABLE: _about("the legacy keyspace"),
    },
    _C.EVENTS_UNSUBSCRIBED: {_P.SUBSCRIPTIONS: _always, _P.BUCKET_EVENTS: _always},
    _C.QUEUE_MISCONFIGURED: {_P.QUEUE_ATTRIBUTES: _always},
    _C.WATCH_SILENT: {_C.SENSORS_OFF: _about("watch"), **_NO_REDIS, **_NO_DAEMON},
    _C.SENSORS_OFF: {_C.DAEMON_SILENT: _lacks_ticks},
    _C.PASS_FAILED: {**_NO_REDIS, **_NO_S3, _C.UPSTREAM_UNREACHABLE: _always},
    _C.RUNS_FAILED: {_C.PASS_FAILED: _is_its_job, **_NO_REDIS},
    _C.COLLECTION_MISSED: {
        _C.SENSORS_OFF: _about("collect_garbage_timer"),
        _C.PASS_FAILED: _about("collection"),
        _C.RUNS_FAILED: _about("collect_garbage"),
        **_NO_TIMERS,
    },
    _C.RECONCILIATION_MISSED: {
        _C.SENSORS_OFF: _about("reconcile_timer"),
        _C.PASS_FAILED: _about("reconciliation"),
        _C.RUNS_FAILED: _about("reconcile"),
        **_NO_TIMERS,
    },
    _C.COLDSTART_STALLED: {
        _C.SENSORS_OFF: _about("coldstart_control"),
        _C.RUNS_FAILED: _about("coldstart"),
        **_NO_REDIS,
        **_NO_S3,
        **_NO_DAEMON,
    },
    _C.STATE_EXPORT_OLD: {
        _C.SENSORS_OFF: _about("export_state_timer"),
        _C.PASS_FAILED: _about("state_export"),
        _C.RUNS_FAILED: _about("export_state"),
        **_NO_TIMERS,
    },
    _C.KEYSPACE_EMPTY: {_C.COLDSTART_STALLED: _always, _C.SENSORS_OFF: _about("coldstart_control")},
    _C.PARTNERS_GONE: {
        _C.REDIS_WENT_BACK: _is_severe,
        _C.REDIS_EVICTS: _is_critical,
        _C.KEYSPACE_EMPTY: _always,
    },
    _C.PUBLISHER_MISSING: {
        _C.SENSORS_OFF: _both_queues,
        _C.RUNS_FAILED: _about("publish_affected"),
        **_NO_REDIS,
        **_NO_DAEMON,
    },
    _C.QUEUE_NOT_DRAINED: {
        _C.SENSORS_OFF: _same_subject,
        _C.COLDSTART_STALLED: _always,
        _C.UPSTREAM_UNREACHABLE: _same_subject,
        **_NO_REDIS,
        **_NO_DAEMON,
    },
    _C.DEAD_LETTERS: {**_NO_REDIS, _C.INPUT_REJECTED: _always},
    _C.BACKLOG_GROWING: {
        _C.COLDSTART_AUTOMATIC: _always,
        _C.REDIS_WENT_BACK: _always,
        **_NO_S3,
    },
    _C.SCHEDULES_LATE: {
        _C.PUBLISHER_MISSING: _always,
        _C.BACKLOG_GROWING: _always,
        _C.COLDSTART_STALLED: _always,
        _C.SCHEDULES_QUARANTINED: _always,
        **_NO_S3,
    },
    _C.SCHEDULES_QUARANTINED: {_P.CATALOGUE_ANSWERS: _always},
    _C.CHECKS_FAILED: {
        _C.SCHEDULES_QUARANTINED: _always,
        _C.INPUT_REJECTED: _always,
        _C.AIRTIME_HELD: _always,
        _C.BROADCASTS_QUARANTINED: _always,
        _P.CATALOGUE_ANSWERS: _always,
    },
    _C.RECONCILIATION_FOUND_DIFFERENCES: {**_CHANGES_ARE_LATE, _C.COLDSTART_AUTOMATIC: _always},
    _C.DIFFERS_FROM_THE_OLD_SYSTEM: {
        **_CHANGES_ARE_LATE,
        _C.OLD_SYSTEM_SILENT: _always,
        _C.SCHEDULES_LATE: _always,
        _C.PUBLISHER_MISSING: _always,
        _C.SCHEDULES_QUARANTINED: _always,
        _C.AIRTIME_HELD: _always,
        _C.DEAD_LETTERS: _always,
        _C.INPUT_REJECTED: _always,
    },
    _P.CANARY_SCHEDULE: {
        _C.SENSORS_OFF: _about("schedule_events"),
        _C.QUEUE_NOT_DRAINED: _about("schedule_events"),
        _C.PUBLISHER_MISSING: _always,
        _C.UPSTREAM_UNREACHABLE: _about("schedule_events"),
        _C.COLDSTART_STALLED: _always,
        **_NO_REDIS,
        **_NO_S3,
        **_NO_DAEMON,
    },
    _P.CANARY_ITEM: {
        _C.SENSORS_OFF: _about("catalogue_events"),
        _C.QUEUE_NOT_DRAINED: _about("catalogue_events"),
        _C.UPSTREAM_UNREACHABLE: _about("catalogue_events"),
        _C.COLDSTART_STALLED: _always,
        **_NO_REDIS,
        **_NO_DAEMON,
    },
}
"""By the effect's name: the names that explain it, each with the rule for two faults. The names form no cycle."""


def _nearest_cause(effect: Fault, faults: Sequence[Fault]) -> Fault | None:
    """The first cause by the order of the rules that does not explain another of its causes."""
    rules = EXPLAINED_BY.get(effect.name, {})
    causes = [
        fault
        for name, rule in rules.items()
        for fault in faults
        if fault.name is name and rule(fault, effect)
    ]
    farther = {cause for each in causes for cause in _causes_of(each, faults)}
    return next((cause for cause in causes if cause not in farther), None)


def _causes_of(effect: Fault, faults: Sequence[Fault]) -> Iterator[Fault]:
    """The nearest cause, its nearest cause, and so on to the root."""
    cause = _nearest_cause(effect, faults)
    while cause is not None:
        yield cause
        cause = _nearest_cause(cause, faults)


# Conditions as clauses

_NO_TICK = "no tick"
"""How the evidence of a sensor begins that is on and does not tick."""

_EACH: Mapping[ConditionName, Callable[[str, object], str]] = {
    _C.QUEUE_NOT_DRAINED: lambda queue, waiting: f"{_verb(waiting, 'message', 'wait')} in `{queue}`",
    _C.DEAD_LETTERS: lambda queue, dead: f"{_verb(dead, 'dead letter', 'wait')} in `{queue}`",
    _C.UPSTREAM_UNREACHABLE: lambda source, _: f"`{source}` does not answer",
    _C.DELIVERY_SILENT: lambda process, _: f"the process `{process}` is silent",
    _C.DAEMON_SILENT: lambda daemon, last: f"Dagster's daemon `{daemon}` is silent, last alive {last}",
    _C.QUEUE_MISCONFIGURED: lambda queue, _: f"the attributes of `{queue}` are wrong",
}
"""Conditions whose evidence has one entry for each subject, and the clause for one."""


_WHOLE: Mapping[ConditionName, Callable[[Condition], str]] = {
    _C.INPUT_REJECTED: lambda found: f"input was rejected ({found.subject})",
    _C.AIRTIME_HELD: lambda found: f"losses of airtime of {found.subject} are held",
    _C.BROADCASTS_QUARANTINED: lambda found: f"broadcasts of {found.subject} cannot be read",
    _C.SUBSCRIPTIONS_QUARANTINED: lambda found: f"pushes to {found.subject} are quarantined",
    _C.PUBLISHER_MISSING: lambda _: "no publisher is at work",
    _C.BACKLOG_GROWING: lambda _: "more schedules are marked than are built",
    _C.RUNS_FAILED: lambda found: f"the latest run of {found.subject} failed",
    _C.PASS_FAILED: lambda found: f"the latest pass of {found.subject} failed",
}
"""Conditions whose summary is no clause."""


def _faults_of(condition: Condition) -> Iterator[Fault]:
    name, severity = condition.name, condition.severity
    remedy = condition.remedy[:1].lower() + condition.remedy[1:].rstrip(".")
    if name is _C.SENSORS_OFF:
        yield from _sensors(condition, remedy)
    elif clause := _EACH.get(name):
        for subject, value in condition.evidence.items():
            yield Fault(name, severity, frozenset({subject}), clause(subject, value), remedy)
    else:
        whole = _WHOLE.get(name)
        text = whole(condition) if whole else condition.summary
        yield Fault(name, severity, frozenset(condition.subject.split(", ")), text, remedy)


def _sensors(condition: Condition, remedy: str) -> Iterator[Fault]:
    """Those that are off together, and those without ticks together."""
    ticks = {sensor: str(text) for sensor, text in condition.evidence.items()}
    late = {sensor: text for sensor, text in ticks.items() if _NO_TICK in text}
    off = sorted(ticks.keys() - late.keys())
    if off:
        remedy = remedy.replace("them", "it") if len(off) == 1 else remedy
        yield Fault(condition.name, condition.severity, frozenset(off), f"{_listed(off)} off", remedy)
    if late:
        text = f"{_listed(late)} on, with {_NO_TICK} for minutes"
        todo = "read the last ticks in Dagster, and the daemon's log"
        yield Fault(condition.name, condition.severity, frozenset(late), text, todo)


def _listed(sensors: Collection[str]) -> str:
    """``the sensors `a` and `b` are``."""
    listed = " and ".join(f"`{sensor}`" for sensor in sorted(sensors))
    return f"the sensor {listed} is" if len(sensors) == 1 else f"the sensors {listed} are"


def _verb(amount: object, thing: str, verb: str) -> str:
    number = int(str(amount))
    return f"{count(number, thing)} {verb if number != 1 else f'{verb}s'}"
