"""Where things are put together: settings in, a whole pipeline out. Nothing else knows every room."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from schedules_pipeline.adapters.aws.bucket import S3ScheduleSource
from schedules_pipeline.adapters.aws.clients import (
    dynamodb_client,
    s3_client,
    sns_client,
    sqs_client,
    watching_sqs_client,
)
from schedules_pipeline.adapters.aws.queue import SqsQueue
from schedules_pipeline.adapters.aws.references import DynamoReferenceIndex
from schedules_pipeline.adapters.aws.sns import SnsNotifier
from schedules_pipeline.adapters.redis.alarms import RedisAlarmBook
from schedules_pipeline.adapters.redis.beside_index import (
    CopyStoreBesideIndex,
    FencedReferenceIndex,
    IndexElsewhere,
)
from schedules_pipeline.adapters.redis.coldstart import RedisColdstartBook
from schedules_pipeline.adapters.redis.copies import (
    RedisCatalogueSource,
    RedisCopyStore,
)
from schedules_pipeline.adapters.redis.feed import RedisChangeFeed
from schedules_pipeline.adapters.redis.history import RedisVersionHistory
from schedules_pipeline.adapters.redis.intake import RedisIntakeNotes
from schedules_pipeline.adapters.redis.journal import (
    RedisComparisons,
    RedisCounters,
    RedisFailingChecks,
    RedisRefusedInput,
)
from schedules_pipeline.adapters.redis.keys import Keys
from schedules_pipeline.adapters.redis.legacy import RedisLegacyKeyspace
from schedules_pipeline.adapters.redis.link import RedisLink, connect
from schedules_pipeline.adapters.redis.parity import RedisParityTrend
from schedules_pipeline.adapters.redis.passes import RedisPassLog
from schedules_pipeline.adapters.redis.presence import RedisPublisherPresence
from schedules_pipeline.adapters.redis.references import RedisReferenceIndex
from schedules_pipeline.adapters.redis.schedules import RedisScheduleStore
from schedules_pipeline.adapters.redis.served import RedisServedBook
from schedules_pipeline.adapters.redis.work import RedisWorkQueue
from schedules_pipeline.adapters.report_files import ReportFiles
from schedules_pipeline.adapters.webhook import WebhookNotifier
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.heartbeat import beating as beating_at
from schedules_pipeline.ports.alarms import AlarmBook, Notifier
from schedules_pipeline.ports.catalogue import CatalogueSource, CopyStore
from schedules_pipeline.ports.coldstart import ColdstartBook
from schedules_pipeline.ports.feed import ChangeFeed
from schedules_pipeline.ports.history import VersionHistory
from schedules_pipeline.ports.intake import IntakeNotes, QueueName
from schedules_pipeline.ports.journal import Comparisons, Counters, FailingChecks, RefusedInput
from schedules_pipeline.ports.parity import ParityTrend, ReportShelf, Requirements
from schedules_pipeline.ports.passes import PassLog
from schedules_pipeline.ports.presence import PublisherPresence
from schedules_pipeline.ports.references import ReferenceIndex
from schedules_pipeline.ports.schedules import ScheduleStore
from schedules_pipeline.ports.served import ServedBook
from schedules_pipeline.ports.upstream import (
    LegacyKeyspace,
    NotificationQueue,
    ScheduleSource,
)
from schedules_pipeline.ports.work import WorkQueue
from schedules_pipeline.settings import Settings
from schedules_pipeline.workflows.accept_refused import RefusedDocuments
from schedules_pipeline.workflows.alarm_conditions import Thresholds
from schedules_pipeline.workflows.check_schedules import ScheduleChecker
from schedules_pipeline.workflows.cold_start import Coldstarter
from schedules_pipeline.workflows.collect_garbage import GarbageCollector, KeptFor
from schedules_pipeline.workflows.compare_legacy import LegacyComparer
from schedules_pipeline.workflows.dead_letters import DeadLetters
from schedules_pipeline.workflows.explain_version import VersionExplainer
from schedules_pipeline.workflows.find_differences import DifferenceFinder
from schedules_pipeline.workflows.follow_catalogue import CatalogueFollower, Clock
from schedules_pipeline.workflows.intake import CatalogueIntake, ScheduleIntake
from schedules_pipeline.workflows.legacy_horizon import LegacyWithinHorizon
from schedules_pipeline.workflows.protect import Protector
from schedules_pipeline.workflows.publish import LEASE_FOR, Beating, Publisher
from schedules_pipeline.workflows.queue_age import NotedQueue
from schedules_pipeline.workflows.rebuild import Rebuilder
from schedules_pipeline.workflows.reconcile import Reconciler
from schedules_pipeline.workflows.report_parity import ParityReporter
from schedules_pipeline.workflows.switch import Switcher
from schedules_pipeline.workflows.watch import Watch, Watched

_WATCH_TIMEOUT_SECONDS = 3.0
_LONGEST_BUILD_SECONDS = 600.0
"""A batch that takes longer hangs, and somebody else may have its schedules."""


@dataclass(frozen=True, slots=True)
class Store:
    """Everything that is ours, in one keyspace."""

    schedules: ScheduleStore
    copies: CopyStore
    references: ReferenceIndex
    work: WorkQueue
    feed: ChangeFeed
    refused: RefusedInput
    comparisons: Comparisons
    counters: Counters
    presence: PublisherPresence
    passes: PassLog
    history: VersionHistory
    coldstarts: ColdstartBook
    parity_trend: ParityTrend
    served: ServedBook
    intake: IntakeNotes
    failing_checks: FailingChecks
    alarms: AlarmBook


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Everything that is not ours, and only ever read."""

    schedule_source: ScheduleSource
    catalogue_source: CatalogueSource
    schedule_queue: NotificationQueue
    catalogue_queue: NotificationQueue
    legacy: LegacyKeyspace
    schedule_dead_letters: NotificationQueue
    catalogue_dead_letters: NotificationQueue


def kept_alive(beat: Callable[[], None]) -> AbstractContextManager[None]:
    """How a lease is renewed while its batch is built."""
    return beating_at(beat, LEASE_FOR.total_seconds() / 3, _LONGEST_BUILD_SECONDS)


class Pipeline:
    """The workflows over one store and one set of upstreams."""

    def __init__(
        self,
        store: Store,
        upstreams: Upstreams,
        calendar: BroadcastCalendar,
        clock: Clock,
        smallest_share: float,
        intended_differences: Sequence[str] = (),
        maximum_catalogue_bytes: int = 1_000_000,
        wait: Callable[[float], None] = time.sleep,
        beating: Beating | None = None,
        coldstart_shards: int = 2,
        storm_threshold: int = 10_000,
        purge_settles_for: timedelta = timedelta(0),
        switch_requirements: Requirements = Requirements(0.995, 0.75, 60),  # noqa: B008 - frozen
        horizon: RetentionHorizon = KEEPS_EVERYTHING,
        kept_for: KeptFor = KeptFor(),  # noqa: B008 - frozen
        reconcile_grace_seconds: float = 30,
        watch: Watch | None = None,
    ) -> None:
        self.store = store
        self.upstreams = upstreams
        self.calendar = calendar
        self.clock = clock
        self.follower = CatalogueFollower(
            store.copies,
            upstreams.catalogue_source,
            store.references,
            store.work,
            store.refused,
            calendar,
            clock,
            maximum_catalogue_bytes,
        )
        rebuilder = Rebuilder(
            store.schedules,
            store.copies,
            store.references,
            store.feed,
            upstreams.schedule_source,
            store.refused,
            store.counters,
            self.follower,
            clock,
            smallest_share,
            horizon,
        )
        self.publisher = Publisher(store.work, store.schedules, rebuilder, clock, beating or kept_alive)
        self.coldstarter = Coldstarter(
            store.coldstarts,
            (upstreams.schedule_queue, upstreams.catalogue_queue),
            upstreams.schedule_source,
            store.feed,
            store.copies,
            self.follower,
            self.publisher,
            store.passes,
            clock,
            wait,
            coldstart_shards,
            smallest_share,
            purge_settles_for,
        )
        self.protector = Protector(
            store.coldstarts, upstreams.catalogue_queue, self.coldstarter, storm_threshold
        )
        self.schedule_intake = ScheduleIntake(
            store.schedules, store.work, store.refused, store.counters, calendar, clock
        )
        self.catalogue_intake = CatalogueIntake(self.follower, store.refused, store.counters, clock)
        self.checker = ScheduleChecker(
            store.schedules, store.copies, store.references, store.refused, store.work, calendar
        )
        legacy = LegacyWithinHorizon(upstreams.legacy, horizon, clock)
        self.comparer = LegacyComparer(
            store.schedules, store.feed, store.work, store.comparisons, legacy, intended_differences
        )
        self.parity_reporter = ParityReporter(
            store.feed,
            store.comparisons,
            legacy,
            store.parity_trend,
            store.passes,
            switch_requirements,
            clock,
        )
        self.switcher = Switcher(store.served, self.parity_reporter, store.coldstarts, clock)
        self.watch = watch or Watch(
            watched_of(store, upstreams), store.alarms, store.counters, (), Thresholds(), clock=clock
        )
        self.explainer = VersionExplainer(store.history, store.feed)
        self.refused_documents = RefusedDocuments(
            store.schedules,
            upstreams.schedule_source,
            store.refused,
            self.publisher,
            clock,
            smallest_share,
        )
        self.collector = GarbageCollector(
            store.schedules,
            store.copies,
            store.references,
            store.work,
            store.feed,
            store.refused,
            store.comparisons,
            store.passes,
            upstreams.schedule_source,
            legacy,
            calendar,
            clock,
            horizon,
            kept_for,
        )
        finder = DifferenceFinder(
            store.schedules,
            store.copies,
            store.references,
            store.work,
            store.feed,
            store.refused,
            upstreams.schedule_source,
            self.follower,
            clock,
            smallest_share,
        )
        self.reconciler = Reconciler(
            finder,
            store.schedules,
            store.work,
            store.feed,
            store.passes,
            upstreams.schedule_source,
            self.publisher,
            clock,
            horizon,
            wait,
            reconcile_grace_seconds,
        )
        self.schedule_dead_letters = DeadLetters(upstreams.schedule_dead_letters, upstreams.schedule_queue)
        self.catalogue_dead_letters = DeadLetters(upstreams.catalogue_dead_letters, upstreams.catalogue_queue)


def watched_of(store: Store, upstreams: Upstreams) -> Watched:
    """What the watch looks at."""
    return Watched(
        store.work,
        store.presence,
        store.refused,
        store.comparisons,
        store.failing_checks,
        store.passes,
        store.coldstarts,
        store.intake,
        {
            QueueName.SCHEDULE_EVENTS: upstreams.schedule_queue,
            QueueName.CATALOGUE_EVENTS: upstreams.catalogue_queue,
        },
        {
            "schedule_dead_letters": upstreams.schedule_dead_letters,
            "catalogue_dead_letters": upstreams.catalogue_dead_letters,
        },
        upstreams.legacy,
    )


def redis_store(link: RedisLink, keyspace: str, versions_kept_for: timedelta = timedelta(days=3)) -> Store:
    """Our store on Redis."""
    keys = Keys(keyspace)
    return Store(
        RedisScheduleStore(link, keys, versions_kept_for),
        RedisCopyStore(link, keys),
        RedisReferenceIndex(link, keys),
        RedisWorkQueue(link, keys),
        RedisChangeFeed(link, keys),
        RedisRefusedInput(link, keys),
        RedisComparisons(link, keys),
        RedisCounters(link, keys),
        RedisPublisherPresence(link, keys),
        RedisPassLog(link, keys),
        RedisVersionHistory(link, keys),
        RedisColdstartBook(link, keys),
        RedisParityTrend(link, keys),
        RedisServedBook(link, keys),
        RedisIntakeNotes(link, keys),
        RedisFailingChecks(link, keys),
        RedisAlarmBook(link, keys),
    )


def report_shelf(settings: Settings, dagster_storage: str) -> ReportShelf:
    """Where the files of parity reports are put."""
    directory = settings.reports_directory or f"{dagster_storage}/reports"
    return ReportFiles(Path(directory), "parity", settings.reports_kept)


def with_index_elsewhere(store: Store, link: RedisLink, keyspace: str, index: IndexElsewhere) -> Store:
    """The same store with its back-references in another home, and the steps apart that need both."""
    copies = CopyStoreBesideIndex(link, Keys(keyspace), index)
    return replace(store, copies=copies, references=FencedReferenceIndex(index, copies))


def _store(settings: Settings, link: RedisLink) -> Store:
    store = redis_store(link, settings.keyspace, timedelta(hours=settings.versions_kept_hours))
    if settings.references_home == "redis":
        return store
    client = dynamodb_client(settings.aws_region, settings.aws_endpoint_url)
    index = DynamoReferenceIndex(client, settings.references_table, settings.keyspace)
    return with_index_elsewhere(store, link, settings.keyspace, index)


def calendar_from(settings: Settings) -> BroadcastCalendar:
    return BroadcastCalendar(ZoneInfo(settings.time_zone), settings.radio_services)


def thresholds_from(settings: Settings) -> Thresholds:
    return Thresholds(
        backlog_after=timedelta(minutes=settings.alarm_backlog_minutes),
        late_after=timedelta(minutes=settings.alarm_late_minutes),
        queue_after=timedelta(minutes=settings.alarm_queue_minutes),
        collection_after=timedelta(hours=settings.alarm_collection_hours),
        reconciliation_after=timedelta(hours=settings.alarm_reconciliation_hours),
        difference_is_error=settings.difference_severity == "ERROR",
    )


def utc_now() -> datetime:
    """The clock of every real process."""
    return datetime.now(UTC)


def _watch(settings: Settings, upstreams: Upstreams) -> Watch:
    """By connections of its own, that give up sooner than those of workers: it must not hang where they do."""

    def link(url: SecretStr, *, cluster: bool = False) -> RedisLink:
        return RedisLink(
            connect(url.get_secret_value(), cluster=cluster, timeout_seconds=_WATCH_TIMEOUT_SECONDS)
        )

    ours = link(settings.redis_url, cluster=settings.redis_is_cluster)
    legacy = link(settings.legacy_redis_url) if settings.legacy_redis_url else ours
    sqs = watching_sqs_client(settings.aws_region, settings.aws_endpoint_url)
    looked_at = replace(
        upstreams,
        schedule_queue=SqsQueue(sqs, settings.schedule_queue),
        catalogue_queue=SqsQueue(sqs, settings.catalogue_queue),
        legacy=RedisLegacyKeyspace(legacy, settings.legacy_prefix),
        schedule_dead_letters=SqsQueue(sqs, settings.schedule_dead_letter_queue),
        catalogue_dead_letters=SqsQueue(sqs, settings.catalogue_dead_letter_queue),
    )
    store = redis_store(ours, settings.keyspace)
    return Watch(
        watched_of(store, looked_at),
        store.alarms,
        store.counters,
        _notifiers(settings),
        thresholds_from(settings),
        timedelta(seconds=settings.alarm_clear_seconds),
        clock=utc_now,
    )


def _notifiers(settings: Settings) -> list[Notifier]:
    notifiers: list[Notifier] = []
    if settings.alarm_topic_arn is not None:
        sns = sns_client(settings.aws_region, settings.aws_endpoint_url)
        notifiers.append(SnsNotifier(sns, settings.alarm_topic_arn, settings.runbook_url))
    if settings.alarm_webhook_url is not None:
        url = settings.alarm_webhook_url.get_secret_value()
        notifiers.append(WebhookNotifier(url, settings.runbook_url))
    return notifiers


def build_pipeline(settings: Settings) -> Pipeline:
    """The whole pipeline on real services."""
    s3 = s3_client(settings.aws_region, settings.aws_endpoint_url)
    sqs = sqs_client(settings.aws_region, settings.aws_endpoint_url)
    link = RedisLink(connect(settings.redis_url.get_secret_value(), cluster=settings.redis_is_cluster))
    catalogue, legacy = (
        link if url is None else RedisLink(connect(url.get_secret_value()))
        for url in (settings.catalogue_redis_url, settings.legacy_redis_url)
    )
    store = _store(settings, link)
    upstreams = Upstreams(
        S3ScheduleSource(s3, settings.schedule_bucket, settings.maximum_schedule_bytes),
        RedisCatalogueSource(catalogue, settings.catalogue_prefix),
        NotedQueue(SqsQueue(sqs, settings.schedule_queue), QueueName.SCHEDULE_EVENTS, store.intake, utc_now),
        NotedQueue(
            SqsQueue(sqs, settings.catalogue_queue), QueueName.CATALOGUE_EVENTS, store.intake, utc_now
        ),
        RedisLegacyKeyspace(legacy, settings.legacy_prefix),
        SqsQueue(sqs, settings.schedule_dead_letter_queue),
        SqsQueue(sqs, settings.catalogue_dead_letter_queue),
    )
    return Pipeline(
        store,
        upstreams,
        calendar_from(settings),
        utc_now,
        settings.smallest_share,
        settings.intended_differences,
        settings.maximum_catalogue_bytes,
        coldstart_shards=settings.coldstart_shards,
        storm_threshold=settings.storm_threshold,
        purge_settles_for=timedelta(seconds=settings.purge_settles_seconds),
        switch_requirements=Requirements(
            settings.switch_parity_threshold,
            settings.switch_coverage_threshold,
            settings.legacy_stale_minutes,
        ),
        horizon=RetentionHorizon(settings.retention_days),
        kept_for=KeptFor(
            feed=timedelta(days=settings.feed_kept_days),
            removals=timedelta(days=settings.feed_kept_days),
            refusals=timedelta(days=settings.refused_kept_days),
        ),
        reconcile_grace_seconds=settings.reconcile_grace_seconds,
        watch=_watch(settings, upstreams),
    )
