"""Real services behind the ports: settings in, a whole pipeline out. Nothing is connected before it is used."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from schedules_pipeline.adapters.aws.bucket import S3ScheduleSource
from schedules_pipeline.adapters.aws.clients import (
    dynamodb_client,
    files_client,
    s3_client,
    sns_client,
    sqs_client,
    watching_sqs_client,
)
from schedules_pipeline.adapters.aws.files import S3FileShelf
from schedules_pipeline.adapters.aws.queue import SqsQueue
from schedules_pipeline.adapters.aws.references import DynamoReferenceIndex
from schedules_pipeline.adapters.aws.sns import SnsNotifier
from schedules_pipeline.adapters.partner_webhook import PartnerWebhooks
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
from schedules_pipeline.adapters.redis.partners import RedisPartnerBook
from schedules_pipeline.adapters.redis.passes import RedisPassLog
from schedules_pipeline.adapters.redis.presence import RedisPublisherPresence
from schedules_pipeline.adapters.redis.pulses import RedisDeliveryPulses
from schedules_pipeline.adapters.redis.references import RedisReferenceIndex
from schedules_pipeline.adapters.redis.schedules import RedisScheduleStore
from schedules_pipeline.adapters.redis.served import RedisServedBook
from schedules_pipeline.adapters.redis.subscriptions import RedisSubscriptionBook
from schedules_pipeline.adapters.redis.work import RedisWorkQueue
from schedules_pipeline.adapters.report_files import ReportFiles
from schedules_pipeline.adapters.webhook import WebhookNotifier
from schedules_pipeline.composition import Pipeline, Rules, Store, Upstreams, watched_of
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.formats.delivered_file import FileFormat
from schedules_pipeline.ports.alarms import Notifier
from schedules_pipeline.ports.intake import QueueName
from schedules_pipeline.ports.parity import ReportShelf, Requirements
from schedules_pipeline.ports.subscriptions import FileShelf
from schedules_pipeline.settings import Settings
from schedules_pipeline.workflows.alarm_conditions import Thresholds
from schedules_pipeline.workflows.collect_garbage import KeptFor
from schedules_pipeline.workflows.push import Pusher
from schedules_pipeline.workflows.push_changes import RenderCursor, WebhookPush
from schedules_pipeline.workflows.push_files import FileRules, FilesPush
from schedules_pipeline.workflows.queue_age import NotedQueue
from schedules_pipeline.workflows.shared_rows import SharedRows
from schedules_pipeline.workflows.watch import Watch

_WATCH_TIMEOUT_SECONDS = 3.0


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
        RedisPartnerBook(link, keys),
        RedisSubscriptionBook(link, keys),
        RedisDeliveryPulses(link, keys),
    )


def report_shelf(settings: Settings, dagster_storage: str) -> ReportShelf:
    """Where the files of parity reports are put."""
    directory = settings.reports_directory or f"{dagster_storage}/reports"
    return ReportFiles(Path(directory), "parity", settings.reports_kept)


def with_index_elsewhere(store: Store, link: RedisLink, keyspace: str, index: IndexElsewhere) -> Store:
    """The same store with its back-references in another home, and the steps apart that need both."""
    copies = CopyStoreBesideIndex(link, Keys(keyspace), index)
    return replace(store, copies=copies, references=FencedReferenceIndex(index, copies))


def build_store(settings: Settings, timeout_seconds: float = 10.0) -> Store:
    """Our store alone, for processes that know no upstream."""
    url = settings.redis_url.get_secret_value()
    client = connect(url, cluster=settings.redis_is_cluster, timeout_seconds=timeout_seconds)
    return _store(settings, RedisLink(client))


def _store(settings: Settings, link: RedisLink) -> Store:
    store = redis_store(link, settings.keyspace, timedelta(hours=settings.versions_kept_hours))
    if settings.references_home == "redis":
        return store
    client = dynamodb_client(settings.aws_region, settings.aws_endpoint_url)
    index = DynamoReferenceIndex(client, settings.references_table, settings.keyspace)
    return with_index_elsewhere(store, link, settings.keyspace, index)


def calendar_from(settings: Settings) -> BroadcastCalendar:
    return BroadcastCalendar(ZoneInfo(settings.time_zone), settings.radio_services)


def rules_from(settings: Settings) -> Rules:
    return Rules(
        smallest_share=settings.smallest_share,
        intended_differences=settings.intended_differences,
        maximum_catalogue_bytes=settings.maximum_catalogue_bytes,
        horizon=RetentionHorizon(settings.retention_days),
        kept_for=KeptFor(
            feed=timedelta(days=settings.feed_kept_days),
            removals=timedelta(days=settings.feed_kept_days),
            refusals=timedelta(days=settings.refused_kept_days),
        ),
        coldstart_shards=settings.coldstart_shards,
        storm_threshold=settings.storm_threshold,
        purge_settles_for=timedelta(seconds=settings.purge_settles_seconds),
        reconcile_grace_seconds=settings.reconcile_grace_seconds,
        switch_requirements=Requirements(
            settings.switch_parity_threshold,
            settings.switch_coverage_threshold,
            settings.legacy_stale_minutes,
        ),
    )


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


def build_pusher(
    settings: Settings, store: Store, render_cursor: RenderCursor, formats: Mapping[str, FileFormat]
) -> Pusher:
    """What tells subscribers, over one store. ``render_cursor``: from an epoch and a position."""
    secret, rows = settings.webhook_master_secret, SharedRows(store.feed)
    receiver = PartnerWebhooks(settings.push_threads)
    master = None if secret is None else secret.get_secret_value().encode()
    rules = FileRules(
        timedelta(hours=settings.files_full_hours), timedelta(seconds=settings.files_update_seconds)
    )
    return Pusher(
        store.subscriptions,
        store.partners,
        store.served,
        store.coldstarts,
        WebhookPush(store.feed, rows, receiver, render_cursor, master),
        FilesPush(
            store.feed, rows, store.schedules.documents, _file_shelf(settings), render_cursor, rules, formats
        ),
        utc_now,
        timedelta(hours=settings.push_set_aside_hours),
    )


def _file_shelf(settings: Settings) -> FileShelf | None:
    if settings.files_bucket is None:
        return None
    client = files_client(settings.aws_region, settings.aws_endpoint_url, settings.push_threads)
    return S3FileShelf(client, settings.files_bucket)


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
    watch = _watch(settings, upstreams)
    return Pipeline(store, upstreams, calendar_from(settings), utc_now, rules_from(settings), watch=watch)
