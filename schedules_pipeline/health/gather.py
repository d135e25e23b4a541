"""Gathers the facts of health from the store and the sources. Nothing else of health reads them."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

from schedules_pipeline.health.facts import LEGACY, Facts, QueueFacts
from schedules_pipeline.health.growth import hours_until_full
from schedules_pipeline.health.ports import HealthStore, QueueName
from schedules_pipeline.health.queue_age import oldest_message_age, queues_by_name
from schedules_pipeline.health.wording import EXAMPLES
from schedules_pipeline.migration.judge_parity import parse_refresh
from schedules_pipeline.migration.ports import MigrationSources
from schedules_pipeline.publishing.decide_holds import list_holds
from schedules_pipeline.publishing.ports.upstream import NotificationQueue


def gather_facts(store: HealthStore, sources: MigrationSources, now: datetime) -> Facts:
    """Ask the store first: if it is unreachable, nothing else matters.

    Raises :class:`ServiceError` if the store does not answer. A source that does not answer is a fact.
    """
    facts = _of_store(store, now)
    queues = {name.value: queue for name, queue in queues_by_name(sources).items()}
    dead_letters = _dead_letters_by_name(sources)
    asked: dict[str, Callable[[], Any]] = {
        name: queue.depth for name, queue in {**queues, **dead_letters}.items()
    }
    answers, errors = _ask({**asked, LEGACY: sources.legacy.refreshed_at})
    polls = store.queue_polls.all()
    return replace(
        facts,
        queues={
            name: QueueFacts(depth, oldest_message_age(polls[QueueName(name)], depth, now))
            if (depth := answers.get(name))
            else None
            for name in queues
        },
        dead_letters={name: answers.get(name) for name in dead_letters},
        unreachable=errors,
        legacy_refreshed_at=parse_refresh(answers.get(LEGACY, "")),
    )


def _of_store(store: HealthStore, now: datetime) -> Facts:
    continuity = store.continuity
    return Facts(
        backlog=store.work.backlog(),
        watched_since=store.incidents.watched_since(),
        publishers=store.presence.present(),
        unrecorded_since=store.feed.unrecorded_since(),
        pending_since=store.work.pending_since(),
        quarantined=store.work.quarantined(),
        rejected=store.rejections.summary(EXAMPLES),
        quarantined_broadcasts=store.quarantined_broadcasts.all(),
        differing=store.comparisons.differing(EXAMPLES),
        failing_checks=store.failing_checks.all(),
        passes=store.passes.all(),
        published=store.feed.count_schedules(),
        has_epoch=store.coldstarts.epoch() is not None,
        coldstart=store.coldstarts.latest(),
        served=store.served.current().source,
        dagster=store.dagster.latest(),
        has_partners=store.partners.was_ever_used(),
        servers=store.server.facts(),
        repairs=[each for each in (continuity.pending_repair(), continuity.latest_repair()) if each],
        hours_until_full=hours_until_full(store.memory_history.all()),
        push_quarantined={
            standing.subscription.name: standing.progress.quarantine.reason
            for standing in store.subscriptions.all()
            if standing.progress.quarantine
        },
        heartbeats=store.heartbeats.all(),
        held=list_holds(store.losses),
        blanked=store.losses.blanked(now),
    )


def _ask(asked: Mapping[str, Callable[[], Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The answers of the sources, and the errors of those that did not answer.

    All are asked at once, because an unreachable one costs its whole timeout.
    """
    with ThreadPoolExecutor(len(asked)) as pool:
        pending = {name: pool.submit(question) for name, question in asked.items()}
    errors = {name: future.exception() for name, future in pending.items()}
    answers = {name: future.result() for name, future in pending.items() if errors[name] is None}
    return answers, {name: str(error) for name, error in errors.items() if error is not None}


def _dead_letters_by_name(sources: MigrationSources) -> dict[str, NotificationQueue]:
    return {
        "schedule_dead_letters": sources.schedule_dead_letters,
        "catalogue_dead_letters": sources.catalogue_dead_letters,
    }
