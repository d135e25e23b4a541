"""The remedies of ``schedules-pipeline doctor --fix``: those that lose nothing, and that a second doctor may repeat.

Attributes of queues, policies and the bucket's events are not changed: they are part of the deployment, and the
permission to change them would allow much more. The doctor prints the command instead.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from schedules_pipeline.cli.answer import remark
from schedules_pipeline.cli.quarantine import release_schedules
from schedules_pipeline.cli.session import Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.diagnose import Fault, FaultName
from schedules_pipeline.health.probes.probe import ProbeName
from schedules_pipeline.health.probes.queues import topics_of
from schedules_pipeline.maintenance.dead_letters import DeadLetters, PartlyHandled
from schedules_pipeline.publishing.ports.upstream import Message

_PEEKED = 1_000


@dataclass(frozen=True, slots=True)
class Remedy:
    """``what``: the remedy in words, for the operator's decision. ``do`` applies it and returns its result in words."""

    what: str
    do: Callable[[], str]


Planner = Callable[[Session, Sequence[Fault]], Iterator[Remedy]]


def plan_remedies(session: Session, faults: Sequence[Fault]) -> Iterator[Remedy]:
    """In the order in which they help: causes first. Each is planned after the ones before it were applied."""
    planned: set[Planner] = set()
    for name, planner in _PLANNERS.items():
        meant = [fault for fault in faults if fault.name is name]
        if meant and planner not in planned:
            planned.add(planner)
            yield from planner(session, meant)


def _switch_on(session: Session, faults: Sequence[Fault]) -> Iterator[Remedy]:
    """Only what an operator has switched off. A sensor without ticks has another cause."""
    try:
        off = session.read_dagster().sensors_off
    except ServiceError as error:
        remark(f"no sensor can be switched on from here: {error}")
        return
    for name in sorted({name for fault in faults for name in fault.subjects}.intersection(off)):
        yield Remedy(f"switch on `{name}` in Dagster", partial(_switch_one_on, session, name))


def _switch_one_on(session: Session, name: str) -> str:
    is_off = name in session.read_dagster([name]).sensors_off
    return "it is still off" if is_off else "it is on, and ticks within half a minute"


def _confirm(session: Session, _: Sequence[Fault]) -> Iterator[Remedy]:
    """Only topics that the queue's policy lets send, so that no stranger is subscribed."""
    arrangement, settings = session.arrangement, session.settings
    for name, letters in _dead_letters(session).items():
        queue = arrangement.queue({"schedule": settings.schedule_queue}.get(name, settings.catalogue_queue))
        topics = topics_of(queue) if queue else []
        for message in letters.peek(_PEEKED):
            topic, token = _confirmation(message)
            if topic in topics:
                do = partial(_confirm_one, session, letters, message.message_id, topic, token)
                yield Remedy(f"confirm the subscription of the {name} queue to {topic}", do)


def _confirm_one(session: Session, letters: DeadLetters, message_id: str, topic: str, token: str) -> str:
    session.arrangement.confirm(topic, token)
    letters.drop([message_id])
    return "it is confirmed, and its message is dropped from the dead letters"


def _confirmation(message: Message) -> tuple[str, str]:
    """The topic and the token; "" if this is another message."""
    try:
        body = json.loads(message.body)
    except ValueError:
        return "", ""
    match body:
        case {"Type": "SubscriptionConfirmation", "TopicArn": str(topic), "Token": str(token)}:
            return topic, token
    return "", ""


def _replay(session: Session, _: Sequence[Fault]) -> Iterator[Remedy]:
    """Those with a reason cannot be decoded, and would come back."""
    for name, letters in _dead_letters(session).items():
        found = letters.peek(_PEEKED)
        ids = [message.message_id for message in found if not message.reason]
        if ids:
            kept = len(found) - len(ids)
            stay = (
                f"; {counted(kept, 'dead letter')} with a reason {'stays' if kept == 1 else 'stay'}"
                if kept
                else ""
            )
            what = f"replay {counted(len(ids), 'dead letter')} of the {name} queue that failed without a reason{stay}"
            yield Remedy(what, partial(_replay_ids, letters, ids))


def _replay_ids(letters: DeadLetters, ids: Sequence[str]) -> str:
    try:
        done = letters.replay(ids)
    except PartlyHandled as error:
        before = counted(len(error.result.done), "message")
        raise ServiceError(f"{error}, after {before} had been replayed") from error
    missing = f"; {counted(len(done.missing), 'message')} not found" if done.missing else ""
    return f"replayed {counted(len(done.done), 'message')}{missing}"


def _release(session: Session, _: Sequence[Fault]) -> Iterator[Remedy]:
    keys = sorted(session.pipeline.store.work.quarantined())
    if keys:
        yield Remedy(
            f"release {counted(len(keys), 'quarantined schedule')}, so that each is tried again",
            partial(_release_keys, session, keys),
        )


def _release_keys(session: Session, keys: Sequence[ScheduleKey]) -> str:
    release_schedules(session, keys)
    return f"released {counted(len(keys), 'schedule')}; the next publisher builds them"


def _reconcile(session: Session, _: Sequence[Fault]) -> Iterator[Remedy]:
    what = "compare all schedules with their sources now, and repair what differs"
    yield Remedy(what, lambda: _reconcile_all(session))


def _reconcile_all(session: Session) -> str:
    report = session.pipeline.reconciler.reconcile(say=remark)
    counts = report.counts
    text = f"compared {counts.get('schedules', 0):,} schedules, {counts.get('differed', 0):,} differed"
    return f"{text}; {report.problem}" if report.problem else text


def _dead_letters(session: Session) -> Mapping[str, DeadLetters]:
    pipeline = session.pipeline
    return {"schedule": pipeline.schedule_dead_letters, "catalogue": pipeline.catalogue_dead_letters}


_PLANNERS: Mapping[FaultName, Planner] = {
    ConditionName.SENSORS_OFF: _switch_on,
    ProbeName.SUBSCRIPTIONS: _confirm,
    ConditionName.DEAD_LETTERS: _replay,
    ConditionName.SCHEDULES_QUARANTINED: _release,
    ConditionName.RECONCILIATION_MISSED: _reconcile,
    ProbeName.BUCKET_EVENTS: _reconcile,
    ConditionName.EVENTS_UNSUBSCRIBED: _reconcile,
    ConditionName.REDIS_EVICTS: _reconcile,
}
"""By the fault that calls for it. A bucket that does not announce everything has left changes out, and a Redis that
evicts has lost records.
"""
