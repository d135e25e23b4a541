"""Builds stores, upstreams and the pipeline from settings. Clients connect when they are first used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from schedules_pipeline.composition import Pipeline, Policies, Store, Upstreams
from schedules_pipeline.documents.delivered_file import FileFormat, file_formats
from schedules_pipeline.documents.guide_formats import GuideFormat, GuidePolicy, guide_formats
from schedules_pipeline.documents.service_list import TelevisionPolicy
from schedules_pipeline.documents.tv_anytime import GuideNaming, Rendition
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.domain.service_names import ServiceNames
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.health.check_health import HealthCheck
from schedules_pipeline.health.facts import Thresholds
from schedules_pipeline.health.ports import Notifier, QueueName
from schedules_pipeline.health.probes.announcements import AnnouncementReader
from schedules_pipeline.health.watch import Watch
from schedules_pipeline.maintenance.collect_garbage import RetentionPeriods
from schedules_pipeline.migration.ports import Requirements
from schedules_pipeline.outbound.alarm_webhook import WebhookNotifier
from schedules_pipeline.outbound.checked_addresses import AllowedAddresses
from schedules_pipeline.outbound.files import S3FileStore
from schedules_pipeline.outbound.report_files import ReportFiles
from schedules_pipeline.outbound.sns import SnsNotifier
from schedules_pipeline.publishing.policy import LossPolicy, PublishingPolicy
from schedules_pipeline.settings import Settings
from schedules_pipeline.state.export import ExportFiles, StateExporter
from schedules_pipeline.store.coldstart import RedisColdstartStore
from schedules_pipeline.store.comparisons import RedisComparisonStore
from schedules_pipeline.store.continuity import RedisContinuityStore
from schedules_pipeline.store.copies import RedisCopyStore
from schedules_pipeline.store.counters import RedisCounterStore
from schedules_pipeline.store.expectations import RedisExpectationStore
from schedules_pipeline.store.failing_checks import RedisFailingCheckStore
from schedules_pipeline.store.feed import RedisChangeFeed
from schedules_pipeline.store.heartbeats import RedisDeliveryHeartbeats
from schedules_pipeline.store.incidents import RedisDagsterStore, RedisIncidentStore
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.store.losses import RedisLossStore
from schedules_pipeline.store.memory_history import RedisMemoryHistory
from schedules_pipeline.store.parity import RedisParityTrendStore
from schedules_pipeline.store.partners import RedisPartnerStore
from schedules_pipeline.store.passes import RedisPassStore
from schedules_pipeline.store.presence import RedisPublisherPresence
from schedules_pipeline.store.quarantined_broadcasts import RedisQuarantinedBroadcastStore
from schedules_pipeline.store.queue_polls import RedisQueuePollStore
from schedules_pipeline.store.references import RedisReferenceIndex
from schedules_pipeline.store.rejections import RedisRejectionStore
from schedules_pipeline.store.schedules import RedisScheduleStore, StorageForm
from schedules_pipeline.store.served import RedisServedSourceStore
from schedules_pipeline.store.servers import RedisServers
from schedules_pipeline.store.sign_ins import RedisSignInStore
from schedules_pipeline.store.subscriptions import RedisSubscriptionStore
from schedules_pipeline.store.versions import RedisVersionStore
from schedules_pipeline.store.work import RedisWorkQueue
from schedules_pipeline.upstream.arrangement import AwsArrangement
from schedules_pipeline.upstream.bucket import S3ScheduleSource
from schedules_pipeline.upstream.catalogue import RedisCatalogueSource
from schedules_pipeline.upstream.clients import (
    s3_client,
    sns_client,
    sqs_client,
    watching_sqs_client,
)
from schedules_pipeline.upstream.legacy import RedisLegacyKeyspace
from schedules_pipeline.upstream.queue import PolledSqsQueue, SqsQueue

if TYPE_CHECKING:
    from schedules_pipeline.store.external_index import ExternalReferenceIndex

_WATCH_TIMEOUT_SECONDS = 3.0
_COPIES_WITHIN_SECONDS = 3.0
_STORAGE_FORM = StorageForm()


def redis_store(link: RedisLink, keyspace: str, form: StorageForm = _STORAGE_FORM) -> Store:
    keys = Keys(keyspace)
    return Store(
        schedules=RedisScheduleStore(link, keys, form),
        copies=RedisCopyStore(link, keys),
        references=RedisReferenceIndex(link, keys),
        work=RedisWorkQueue(link, keys),
        feed=RedisChangeFeed(link, keys),
        rejections=RedisRejectionStore(link, keys),
        quarantined_broadcasts=RedisQuarantinedBroadcastStore(link, keys),
        losses=RedisLossStore(link, keys),
        expectations=RedisExpectationStore(link, keys),
        comparisons=RedisComparisonStore(link, keys),
        counters=RedisCounterStore(link, keys),
        presence=RedisPublisherPresence(link, keys),
        passes=RedisPassStore(link, keys),
        versions=RedisVersionStore(link, keys, form),
        coldstarts=RedisColdstartStore(link, keys),
        server=RedisServers(link),
        continuity=RedisContinuityStore(link, keys),
        parity_trend=RedisParityTrendStore(link, keys),
        served=RedisServedSourceStore(link, keys),
        queue_polls=RedisQueuePollStore(link, keys),
        failing_checks=RedisFailingCheckStore(link, keys),
        incidents=RedisIncidentStore(link, keys),
        memory_history=RedisMemoryHistory(link, keys),
        dagster=RedisDagsterStore(link, keys),
        partners=RedisPartnerStore(link, keys),
        subscriptions=RedisSubscriptionStore(link, keys),
        sign_ins=RedisSignInStore(link, keys),
        heartbeats=RedisDeliveryHeartbeats(link, keys),
    )


def report_files(settings: Settings, dagster_storage: str, name: str) -> ReportFiles:
    """The latest reports of this name, in the directory of reports."""
    directory = settings.reports_directory or f"{dagster_storage}/reports"
    return ReportFiles(Path(directory), name, settings.reports_kept)


def state_exporter(settings: Settings, pipeline: Pipeline) -> StateExporter:
    source = pipeline.upstreams.catalogue_source
    return StateExporter(pipeline.store, source, settings.keyspace, pipeline.clock)


def state_exports(settings: Settings, bucket: str, prefix: str) -> ExportFiles:
    s3 = s3_client(settings.aws_region, settings.aws_endpoint_url)
    return ExportFiles(S3FileStore(s3, bucket, is_encrypted=True), prefix, settings.state_exports_kept)


def with_external_index(
    store: Store, link: RedisLink, keyspace: str, index: "ExternalReferenceIndex"
) -> Store:
    """The same store, with its back-reference index outside Redis."""
    from schedules_pipeline.store.external_index import (  # noqa: PLC0415 - optional
        CopyStoreWithExternalIndex,
        TokenCheckedReferenceIndex,
    )

    copies = CopyStoreWithExternalIndex(link, Keys(keyspace), index)
    return replace(store, copies=copies, references=TokenCheckedReferenceIndex(index, copies))


def build_store(settings: Settings, timeout_seconds: float = 10.0) -> Store:
    """The store alone, for processes without upstreams."""
    return _store(settings, _own_link(settings, timeout_seconds))


def _own_link(settings: Settings, timeout_seconds: float = 10.0) -> RedisLink:
    """The link of the pipeline's keyspace."""
    if settings.redis_is_cluster and settings.redis_wait_replicas:
        raise ConfigurationError(
            "SCHEDULES_REDIS_WAIT_REPLICAS does not work with a cluster: set min-replicas-to-write at its servers"
        )
    url = settings.redis_url.get_secret_value()
    client = connect(url, cluster=settings.redis_is_cluster, timeout_seconds=timeout_seconds)
    return RedisLink(client, replicas_to_wait_for=settings.redis_wait_replicas)


def _foreign_link(url: SecretStr, timeout_seconds: float = 10.0) -> RedisLink:
    """A link of a keyspace that the pipeline only reads."""
    return RedisLink(connect(url.get_secret_value(), timeout_seconds=timeout_seconds), reads_replicas=True)


def _store(settings: Settings, link: RedisLink) -> Store:
    form = StorageForm(
        settings.stored_compressed, settings.versions_kept, timedelta(hours=settings.versions_kept_hours)
    )
    store = redis_store(link, settings.keyspace, form)
    if settings.references_home == "redis":
        return store
    from schedules_pipeline.store.dynamodb import DynamoReferenceIndex, dynamodb_client  # noqa: PLC0415 - optional

    client = dynamodb_client(settings.aws_region, settings.aws_endpoint_url)
    index = DynamoReferenceIndex(client, settings.references_table, settings.keyspace)
    return with_external_index(store, link, settings.keyspace, index)


@dataclass(frozen=True, slots=True)
class CopiesOfProcess:
    """The catalogue copies, for a task that is sent to another process, which connects by itself."""

    settings: Settings

    def read(self, pids: Sequence[Pid]) -> Mapping[Pid, bytes]:
        return _store_of_process(self.settings).copies.read(pids)


@lru_cache(1)
def _store_of_process(settings: Settings) -> Store:
    return build_store(settings, _COPIES_WITHIN_SECONDS)


def calendar_from(settings: Settings) -> BroadcastCalendar:
    return BroadcastCalendar(ZoneInfo(settings.time_zone), settings.radio_services)


def service_names_from(settings: Settings) -> ServiceNames:
    return ServiceNames(dict(settings.service_names))


def guide_naming_from(settings: Settings) -> GuideNaming:
    return GuideNaming(settings.crid_authority, settings.tag_date, settings.content_language)


def guide_formats_from(settings: Settings) -> tuple[GuideFormat, ...]:
    naming = guide_naming_from(settings)
    return guide_formats(GuidePolicy(settings.xmltv_domain, naming, settings.image_url_template))


def television_policy_from(settings: Settings) -> TelevisionPolicy:
    return TelevisionPolicy(
        Rendition(guide_naming_from(settings), settings.image_url_template, is_for_televisions=True),
        settings.broadcaster_name,
        dict(settings.television_services),
        dict(settings.television_regions),
        settings.television_url,
    )


def file_formats_from(settings: Settings) -> Mapping[str, FileFormat]:
    return file_formats(guide_formats_from(settings), calendar_from(settings), service_names_from(settings))


def policies_from(settings: Settings) -> Policies:
    return Policies(
        publishing=PublishingPolicy(
            losses=LossPolicy(
                smallest_share=settings.smallest_airtime_share,
                largest_quarantined_share=settings.largest_quarantined_share,
                confirm_after=timedelta(minutes=settings.confirm_minutes),
                whole_hours=settings.loss_budget_hours,
                service_hours=settings.loss_budget_service_hours,
            ),
            maximum_catalogue_bytes=settings.maximum_catalogue_bytes,
            horizon=RetentionHorizon(settings.retention_days),
        ),
        intended_differences=settings.intended_differences,
        kept_for=RetentionPeriods(
            feed=timedelta(days=settings.feed_kept_days),
            removals=timedelta(days=settings.feed_kept_days),
            rejections=timedelta(days=settings.rejections_kept_days),
        ),
        coldstart_shards=settings.coldstart_shards,
        storm_threshold=settings.storm_threshold,
        purge_settles_for=timedelta(seconds=settings.purge_delay_seconds),
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
        blanking_above=timedelta(hours=settings.alarm_blanking_hours),
        collection_after=timedelta(hours=settings.alarm_collection_hours),
        reconciliation_after=timedelta(hours=settings.alarm_reconciliation_hours),
        legacy_after=timedelta(minutes=settings.alarm_legacy_minutes),
        state_export_after=timedelta(hours=settings.alarm_state_export_hours),
        difference_is_error=settings.difference_severity == "ERROR",
        clear_after=timedelta(seconds=settings.alarm_clear_seconds),
    )


def utc_now() -> datetime:
    return datetime.now(UTC)


def _watch(settings: Settings, upstreams: Upstreams) -> Watch:
    """The watch has its own connections with short timeouts, so that it does not hang when the workers do."""
    own = _own_link(settings, _WATCH_TIMEOUT_SECONDS)
    url = settings.legacy_redis_url
    legacy = own if url is None else _foreign_link(url, _WATCH_TIMEOUT_SECONDS)
    sqs = watching_sqs_client(settings.aws_region, settings.aws_endpoint_url)
    checked = replace(
        upstreams,
        schedule_queue=SqsQueue(sqs, settings.schedule_queue),
        catalogue_queue=SqsQueue(sqs, settings.catalogue_queue),
        legacy=RedisLegacyKeyspace(legacy, settings.legacy_prefix),
        schedule_dead_letters=SqsQueue(sqs, settings.schedule_dead_letter_queue),
        catalogue_dead_letters=SqsQueue(sqs, settings.catalogue_dead_letter_queue),
    )
    store = redis_store(own, settings.keyspace)
    health = HealthCheck(store, checked, utc_now, thresholds_from(settings))
    announcements = AnnouncementReader(
        build_arrangement(settings),
        settings.schedule_queue,
        settings.catalogue_queue,
        settings.schedule_bucket,
    )
    return Watch(health, _notifiers(settings), announcements.find_unheard)


def _notifiers(settings: Settings) -> list[Notifier]:
    notifiers: list[Notifier] = []
    if settings.alarm_topic_arn is not None:
        sns = sns_client(settings.aws_region, settings.aws_endpoint_url)
        notifiers.append(SnsNotifier(sns, settings.alarm_topic_arn, settings.runbook_url))
    if settings.alarm_webhook_url is not None:
        url = settings.alarm_webhook_url.get_secret_value()
        allowed = AllowedAddresses(settings.alarm_allowed_networks, "SCHEDULES_ALARM_ALLOWED_NETWORKS")
        notifiers.append(WebhookNotifier(url, settings.runbook_url, allowed))
    return notifiers


def build_arrangement(settings: Settings) -> AwsArrangement:
    """How the sources announce changes. Its clients give up soon."""
    place = (settings.aws_region, settings.aws_endpoint_url)
    return AwsArrangement(
        watching_sqs_client(*place), sns_client(*place), s3_client(*place), settings.schedule_bucket
    )


def build_pipeline(settings: Settings) -> Pipeline:
    s3 = s3_client(settings.aws_region, settings.aws_endpoint_url)
    sqs = sqs_client(settings.aws_region, settings.aws_endpoint_url)
    link = _own_link(settings)
    catalogue, legacy = (
        link if url is None else _foreign_link(url)
        for url in (settings.catalogue_redis_url, settings.legacy_redis_url)
    )
    store = _store(settings, link)
    record_poll = store.queue_polls.record_poll
    upstreams = Upstreams(
        schedule_source=S3ScheduleSource(s3, settings.schedule_bucket, settings.maximum_schedule_bytes),
        catalogue_source=RedisCatalogueSource(catalogue, settings.catalogue_prefix),
        schedule_queue=PolledSqsQueue(
            sqs, settings.schedule_queue, partial(record_poll, QueueName.SCHEDULE_EVENTS), utc_now
        ),
        catalogue_queue=PolledSqsQueue(
            sqs, settings.catalogue_queue, partial(record_poll, QueueName.CATALOGUE_EVENTS), utc_now
        ),
        legacy=RedisLegacyKeyspace(legacy, settings.legacy_prefix),
        schedule_dead_letters=SqsQueue(sqs, settings.schedule_dead_letter_queue),
        catalogue_dead_letters=SqsQueue(sqs, settings.catalogue_dead_letter_queue),
    )
    return Pipeline(
        store,
        upstreams,
        calendar_from(settings),
        utc_now,
        policies_from(settings),
        watch=partial(_watch, settings, upstreams),
    )
