"""Conditions of the sources: queues, dead letters, rejected input, held losses, blanking."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from schedules_pipeline.health.condition import Condition, ConditionName, Severity, make_condition
from schedules_pipeline.health.facts import Facts, Thresholds
from schedules_pipeline.health.probes.queues import judge_attributes
from schedules_pipeline.health.rules.processes import is_dagster_known
from schedules_pipeline.health.wording import EXAMPLES, count, duration, example, examples, instant
from schedules_pipeline.publishing.ports.rejections import RejectedKind

_A_DAY, _AN_HOUR = timedelta(days=1), timedelta(hours=1)

_KINDS = {
    RejectedKind.ITEM: "catalogue document",
    RejectedKind.MESSAGE: "message",
    RejectedKind.SCHEDULE: "schedule document",
}


def find_unreachable(facts: Facts) -> Iterator[Condition]:
    if facts.unreachable:
        names = ", ".join(sorted(facts.unreachable))
        evidence = {name: example(error) for name, error in facts.unreachable.items()}
        yield make_condition(ConditionName.UPSTREAM_UNREACHABLE, names, f"{names} did not answer", evidence)


def find_undrained_queues(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    """Not while a coldstart stops the intake, nor in the time afterwards for which a message may wait."""
    if facts.coldstart:
        ended_at = facts.coldstart.ended_at
        if not facts.coldstart.stage.is_final or (ended_at and now - ended_at <= thresholds.queue_after):
            return
    watched_for = now - (facts.watched_since or now)
    texts, evidence, longest = [], {}, timedelta(0)
    for name, queue in facts.queues.items():
        waited = watched_for if queue and queue.oldest is None else queue.oldest if queue else None
        if queue and waited is not None and waited > thresholds.queue_after:
            age = "never polled" if queue.oldest is None else f"the oldest for {duration(waited)}"
            texts.append(f"{count(queue.depth.waiting, 'message')} in {name}, {age}")
            evidence[name], longest = queue.depth.waiting, max(longest, waited)
    if evidence:
        yield make_condition(
            ConditionName.QUEUE_NOT_DRAINED, ", ".join(evidence), "; ".join(texts), evidence, now - longest
        )


def find_misconfigured_queues(facts: Facts) -> Iterator[Condition]:
    """A queue that was made anew has the attributes of its maker."""
    answers = {name: queue.depth for name, queue in facts.queues.items() if queue}
    found = {
        name: "; ".join(finding.text for finding in findings)
        for name, depth in answers.items()
        if depth.attributes
        and (findings := list(judge_attributes(name, depth.attributes, "<ARN of its dead-letter queue>")))
    }
    if found:
        names = ", ".join(found)
        yield make_condition(
            ConditionName.QUEUE_MISCONFIGURED, names, f"wrong attributes of {names}", examples(found)
        )


def find_unheard_sources(facts: Facts, now: datetime) -> Iterator[Condition]:
    """Changes that are never announced: nothing waits, nothing fails, and schedules grow old."""
    if facts.dagster and is_dagster_known(facts, now) and (found := facts.dagster.unheard):
        summary = "; ".join(example(text) for text in found.values())
        yield make_condition(ConditionName.EVENTS_UNSUBSCRIBED, ", ".join(found), summary, examples(found))


def find_dead_letters(facts: Facts) -> Iterator[Condition]:
    depths = {name: depth.waiting + depth.in_flight for name, depth in facts.dead_letters.items() if depth}
    if dead := {name: amount for name, amount in depths.items() if amount}:
        summary = "; ".join(f"{count(amount, 'message')} in {name}" for name, amount in dead.items())
        yield make_condition(ConditionName.DEAD_LETTERS, ", ".join(dead), summary, dead)


def find_rejected(facts: Facts) -> Iterator[Condition]:
    if facts.rejected.total:
        counts = facts.rejected.counts
        subject = ", ".join(count(counts[kind], name) for kind, name in _KINDS.items() if counts.get(kind))
        reasons = {subject: rejection.reason for subject, rejection in facts.rejected.latest.items()}
        yield make_condition(ConditionName.INPUT_REJECTED, subject, f"{subject} rejected", examples(reasons))


def find_quarantined_broadcasts(facts: Facts) -> Iterator[Condition]:
    if found := {str(key): summary for key, summary in facts.quarantined_broadcasts.items()}:
        subject = count(len(found), "schedule")
        summary = f"{subject} with broadcasts that cannot be read; the others are published"
        yield make_condition(ConditionName.BROADCASTS_QUARANTINED, subject, summary, examples(found))


def find_held_losses(facts: Facts, now: datetime) -> Iterator[Condition]:
    """It grows more severe as the airtime comes near: warning days ahead, error within a day, critical on the day."""
    waiting = [loss for loss in facts.held if loss.verdict is None]
    if not waiting:
        return
    first = min(loss.airs_at for loss in waiting)
    severity = (
        Severity.WARNING if first > now + _A_DAY else Severity.ERROR if first > now else Severity.CRITICAL
    )
    hours = sum(loss.seconds for loss in waiting) / 3600
    services = sorted({sid for loss in waiting for sid in loss.seconds_by_service})
    named = f"{', '.join(services[:EXAMPLES])}{', …' if len(services) > EXAMPLES else ''}"
    begins = f"the first day begins {instant(first)}" if first > now else "one of the days has begun"
    summary = f"{hours:.1f} hours of airtime held of {named}; {begins}"
    previews = {
        loss.id: f"{count(len(loss.held), 'schedule')}, {loss.seconds / 3600:.1f} h" for loss in waiting
    }
    yield make_condition(ConditionName.AIRTIME_HELD, named, summary, examples(previews), severity=severity)


def find_unusual_blanking(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    """Blanking is never held, so operators hear of much of it at once."""
    blanked: dict[str, timedelta] = {}
    for key, airtime in facts.blanked.items():
        blanked[key.sid] = blanked.get(key.sid, timedelta(0)) + airtime
    unusual = {
        sid: airtime for sid, airtime in sorted(blanked.items()) if airtime > thresholds.blanking_above
    }
    if unusual:
        evidence = {sid: f"{airtime / _AN_HOUR:.1f} h" for sid, airtime in unusual.items()}
        listed = ", ".join(f"{sid} {hours}" for sid, hours in evidence.items())
        summary = f"much airtime was blanked within an hour: {listed}"
        yield make_condition(ConditionName.BLANKING_UNUSUAL, ", ".join(unusual), summary, examples(evidence))
