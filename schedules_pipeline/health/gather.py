"""Gathers the facts of health from the store and the sources. Nothing else of health reads them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.health.facts import Facts, FailedRun, QueueFacts
from schedules_pipeline.health.ports import HealthStore, QueueName
from schedules_pipeline.health.queue_age import oldest_message_age, queues_by_name
from schedules_pipeline.health.wording import EXAMPLES
from schedules_pipeline.migration.ports import MigrationSources
from schedules_pipeline.publishing.decide_holds import list_holds
from schedules_pipeline.publishing.ports.upstream import NotificationQueue, QueueDepth

_LEGACY = "the legacy keyspace"


def gather_facts(
    store: HealthStore, sources: MigrationSources, clock: Clock, failed_runs: Sequence[FailedRun] = ()
) -> Facts:
    """Ask the store first: if it is unreachable, nothing else matters.

    Raises :class:`ServiceError` if the store does not answer. A source that does not answer is a fact.
    """
    now = clock()
    since, polls = store.incidents.watched_since(now), store.queue_polls.all()
    queues: dict[str, NotificationQueue] = {name.value: q for name, q in queues_by_name(sources).items()}
    dead_letters = _dead_letters_by_name(sources)
    depths, errors = _ask(sources, {**queues, **dead_letters})
    return Facts(
        watched_since=since,
        backlog=store.work.backlog(),
        publisher=store.presence.name(),
        pending_since=store.work.pending_since(),
        quarantined=store.work.quarantined(),
        rejected=store.rejections.summary(EXAMPLES),
        quarantined_broadcasts=store.quarantined_broadcasts.all(),
        differing=store.comparisons.differing(EXAMPLES),
        failing_checks=store.failing_checks.all(),
        passes=store.passes.all(),
        coldstart=store.coldstarts.latest(),
        queues={
            name: QueueFacts(depth, oldest_message_age(polls[QueueName(name)], depth, now))
            if (depth := depths.get(name))
            else None
            for name in queues
        },
        dead_letters={name: depths.get(name) for name in dead_letters},
        unreachable=errors,
        failed_runs=failed_runs,
        push_quarantined={
            standing.subscription.name: standing.progress.quarantine.reason
            for standing in store.subscriptions.all()
            if standing.progress.quarantine
        },
        heartbeats=store.heartbeats.all(),
        held=list_holds(store.losses),
        blanked=store.losses.blanked(now),
    )


def _ask(
    sources: MigrationSources, queues: Mapping[str, NotificationQueue]
) -> tuple[dict[str, QueueDepth], dict[str, str]]:
    """The depths of the queues, and the errors of sources that did not answer.

    All are asked at once, because an unreachable one costs its whole timeout.
    """
    with ThreadPoolExecutor(len(queues) + 1) as pool:
        asked = {name: pool.submit(queue.depth) for name, queue in queues.items()}
        refreshed = pool.submit(sources.legacy.refreshed_at)
    errors = {name: future.exception() for name, future in asked.items()} | {_LEGACY: refreshed.exception()}
    depths = {name: future.result() for name, future in asked.items() if errors[name] is None}
    return depths, {name: str(error) for name, error in errors.items() if error is not None}


def _dead_letters_by_name(sources: MigrationSources) -> dict[str, NotificationQueue]:
    return {
        "schedule_dead_letters": sources.schedule_dead_letters,
        "catalogue_dead_letters": sources.catalogue_dead_letters,
    }
