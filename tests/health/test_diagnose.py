"""Root causes: each fault is a root or is explained by a chain that ends in one, and the sentences read well."""

from datetime import timedelta
from graphlib import TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.health.condition import Condition, ConditionName, Severity, make_condition
from schedules_pipeline.health.diagnose import (
    EXPLAINED_BY,
    Explanation,
    Fault,
    diagnose,
    find_faults,
)
from schedules_pipeline.health.probes.probe import Probe, ProbeName, failed, passed, run_probes, unchecked

_C, _P = ConditionName, ProbeName
_NAMES = [*ConditionName, *ProbeName]
_SUBJECTS = ["schedule_events", "catalogue_events", "publish_affected", "collection", "Redis"]

_FAULTS = st.lists(
    st.builds(
        Fault,
        st.sampled_from(_NAMES),
        st.sampled_from(list(Severity)),
        st.frozensets(st.sampled_from(_SUBJECTS), min_size=1),
        st.sampled_from(["one thing", "another"]),
    ),
    max_size=12,
)


def _chains(explanation: Explanation) -> list[tuple[Fault, Fault]]:
    """Every pair of a cause and its effect."""
    pairs = [(explanation.fault, effect.fault) for effect in explanation.effects]
    return pairs + [pair for effect in explanation.effects for pair in _chains(effect)]


@given(_FAULTS)
def test_every_fault_is_a_root_or_ends_in_one(faults: list[Fault]) -> None:
    """Each fault stands exactly once in the forest, so there is no cycle and nothing is left out."""
    shown = [fault for root in diagnose(faults) for fault in root.faults()]

    assert sorted(map(repr, shown)) == sorted(map(repr, set(faults)))


@given(_FAULTS)
def test_a_cause_explains_its_effect_by_a_rule_and_a_root_has_no_cause(faults: list[Fault]) -> None:
    """No fault is a root while another one would explain it."""
    roots = diagnose(faults)

    for root in roots:
        for cause, effect in _chains(root):
            assert EXPLAINED_BY[effect.name][cause.name](cause, effect)
        rules = EXPLAINED_BY.get(root.fault.name, {})
        assert not any(f.name in rules and rules[f.name](f, root.fault) for f in faults)


@given(_FAULTS)
def test_the_most_severe_comes_first(faults: list[Fault]) -> None:
    """A root counts as severe as the worst that it explains."""
    ranks = [min(list(Severity).index(f.severity) for f in root.faults()) for root in diagnose(faults)]

    assert ranks == sorted(ranks)


def test_no_name_explains_itself() -> None:
    """The names form no cycle."""
    graph = TopologicalSorter({effect: list(causes) for effect, causes in EXPLAINED_BY.items()})

    assert list(graph.static_order())


def test_of_independent_causes_the_wider_one_is_named() -> None:
    """One dead letter does not hide that a queue is not drained."""
    dead = make_condition(_C.DEAD_LETTERS, "schedule_dead_letters", "…", {"schedule_dead_letters": 1})

    roots = diagnose(find_faults([dead, _differing(), _undrained(catalogue_events=57)], []))

    assert {root.fault.name: [e.fault.name for e in root.effects] for root in roots} == {
        _C.DEAD_LETTERS: [],
        _C.QUEUE_NOT_DRAINED: [_C.DIFFERS_FROM_THE_OLD_SYSTEM],
    }


def _undrained(**waiting: int) -> Condition:
    return make_condition(_C.QUEUE_NOT_DRAINED, ", ".join(waiting), "…", waiting)


def _differing(amount: int = 21) -> Condition:
    name = _C.DIFFERS_FROM_THE_OLD_SYSTEM
    return make_condition(
        name, f"{amount} schedules", f"{amount} of 300 schedules differ from the old system"
    )


def _canary_lost() -> Probe:
    finding = failed("a canary item", "a canary item was not received within 30 s", "read the ticks")
    return Probe(_P.CANARY_ITEM, "a canary item", "", lambda: [finding], "", timedelta(seconds=5))


def test_a_chain_is_one_sentence_with_the_remedy_of_its_root() -> None:
    """The nearest cause is named, and the effect of no further chain comes first."""
    faults = find_faults([_differing(), _undrained(catalogue_events=57)], run_probes([_canary_lost()]))

    [root] = diagnose(faults)

    assert root.sentence == (
        "57 messages wait in `catalogue_events`, so 21 of 300 schedules differ from the old system and a canary item "
        "was not received within 30 s: switch on the sensors `schedule_events` and `catalogue_events` and read their "
        "ticks"
    )


def test_each_queue_is_a_fault_of_its_own() -> None:
    """So a cause of the one does not explain the other."""
    unreachable = make_condition(
        _C.UPSTREAM_UNREACHABLE, "schedule_events", "…", {"schedule_events": "no answer"}
    )

    roots = diagnose(find_faults([_undrained(schedule_events=1, catalogue_events=2), unreachable], []))

    assert [root.chain for root in roots] == [
        "2 messages wait in `catalogue_events`",
        "`schedule_events` does not answer, so 1 message waits in `schedule_events`",
    ]


def _sensors_off(**state: str) -> Condition:
    return make_condition(_C.SENSORS_OFF, ", ".join(state), "…", state)


def test_a_silent_daemon_explains_missing_ticks_and_no_switch() -> None:
    """What an operator has switched off is a root beside it."""
    daemon = make_condition(_C.DAEMON_SILENT, "SENSOR", "…", {"SENSOR": "never"})
    sensors = _sensors_off(schedule_events="no tick since 12:00", catalogue_events="switched off")

    roots = diagnose(find_faults([_undrained(schedule_events=3, catalogue_events=5), sensors, daemon], []))

    assert [root.chain for root in roots] == [
        "the sensor `catalogue_events` is off, so 5 messages wait in `catalogue_events`",
        (
            "Dagster's daemon `SENSOR` is silent, last alive never, so the sensor `schedule_events` is on, with no "
            "tick for minutes, so 3 messages wait in `schedule_events`"
        ),
    ]


def test_what_only_may_happen_explains_nothing_yet() -> None:
    """An eviction policy explains missing schedules once Redis has deleted keys."""
    for severity, explains in ((Severity.WARNING, False), (Severity.ERROR, False), (Severity.CRITICAL, True)):
        evicts = make_condition(_C.REDIS_EVICTS, "redis:6379", "…", severity=severity)
        roots = diagnose(find_faults([_differing(), evicts], []))
        assert (len(roots) == 1) is explains


def test_a_redis_that_went_back_explains_what_its_repair_changes() -> None:
    """Differences and a backlog are its effects, until the repair is over."""
    back = make_condition(_C.REDIS_WENT_BACK, "Redis", "the feed stepped back; being repaired")
    backlog = make_condition(_C.BACKLOG_GROWING, "the work queue", "…")

    [root] = diagnose(find_faults([_differing(), backlog, back], []))

    assert root.fault.name is _C.REDIS_WENT_BACK
    assert len(root.effects) == 2


def test_what_the_watch_has_seen_of_subscriptions_is_explained_by_what_the_doctor_sees() -> None:
    """The probe says it more exactly, and is the root of the condition and of the differences."""
    finding = failed("bucket", "the bucket does not announce removals", "put the configuration")
    probe = Probe(_P.BUCKET_EVENTS, "bucket", "", lambda: [finding])
    unheard = make_condition(_C.EVENTS_UNSUBSCRIBED, "schedule_events", "removals are not announced")

    [root] = diagnose(find_faults([_differing(), unheard], run_probes([probe])))

    assert [fault.name for fault in root.faults()] == [
        _P.BUCKET_EVENTS,
        _C.EVENTS_UNSUBSCRIBED,
        _C.DIFFERS_FROM_THE_OLD_SYSTEM,
    ]


def test_only_failures_of_probes_are_faults() -> None:
    """What passed or could not be checked explains nothing."""
    probe = Probe(_P.S3_ANSWERS, "S3", "", lambda: [passed("S3", "well"), unchecked("b", "denied")])

    assert find_faults([], run_probes([probe])) == []


def test_without_faults_there_is_no_root() -> None:
    """A healthy system needs no explanation."""
    assert diagnose([]) == ()


def test_a_failed_run_of_every_pass_is_explained_by_the_pass() -> None:
    """An export or a pruning that failed is one root cause, as a collection is."""
    runs = {"state_export": "export_state", "retention": "prune_records", "collection": "collect_garbage"}

    for name, job in runs.items():
        failed_pass = make_condition(_C.PASS_FAILED, name, f"the latest pass failed of: {name}")
        failed_run = make_condition(_C.RUNS_FAILED, job, f"the latest run failed of: {job}")

        assert len(diagnose(find_faults([failed_pass, failed_run], []))) == 1
