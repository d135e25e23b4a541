"""Where things are put together: settings in, a whole pipeline out. Nothing else knows every room."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schedules_pipeline.adapters.aws.bucket import S3ScheduleSource
from schedules_pipeline.adapters.aws.clients import s3_client, sqs_client
from schedules_pipeline.adapters.aws.queue import SqsQueue
from schedules_pipeline.adapters.redis.copies import (
    RedisCatalogueSource,
    RedisCopyStore,
)
from schedules_pipeline.adapters.redis.feed import RedisChangeFeed
from schedules_pipeline.adapters.redis.history import RedisVersionHistory
from schedules_pipeline.adapters.redis.journal import (
    RedisComparisons,
    RedisCounters,
    RedisRefusedInput,
)
from schedules_pipeline.adapters.redis.keys import Keys
from schedules_pipeline.adapters.redis.legacy import RedisLegacyKeyspace
from schedules_pipeline.adapters.redis.link import RedisLink, connect
from schedules_pipeline.adapters.redis.passes import RedisPassLog
from schedules_pipeline.adapters.redis.presence import RedisPublisherPresence
from schedules_pipeline.adapters.redis.references import RedisReferenceIndex
from schedules_pipeline.adapters.redis.schedules import RedisScheduleStore
from schedules_pipeline.adapters.redis.work import RedisWorkQueue
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.ports.catalogue import CatalogueSource, CopyStore
from schedules_pipeline.ports.feed import ChangeFeed
from schedules_pipeline.ports.history import VersionHistory
from schedules_pipeline.ports.journal import Comparisons, Counters, RefusedInput
from schedules_pipeline.ports.passes import PassLog
from schedules_pipeline.ports.presence import PublisherPresence
from schedules_pipeline.ports.references import ReferenceIndex
from schedules_pipeline.ports.schedules import ScheduleStore
from schedules_pipeline.ports.upstream import (
    LegacyKeyspace,
    NotificationQueue,
    ScheduleSource,
)
from schedules_pipeline.ports.work import WorkQueue
from schedules_pipeline.settings import Settings
from schedules_pipeline.workflows.check_schedules import ScheduleChecker
from schedules_pipeline.workflows.compare_legacy import LegacyComparer
from schedules_pipeline.workflows.follow_catalogue import CatalogueFollower, Clock
from schedules_pipeline.workflows.intake import CatalogueIntake, ScheduleIntake
from schedules_pipeline.workflows.publish import Publisher
from schedules_pipeline.workflows.rebuild import Rebuilder


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
        )
        self.publisher = Publisher(store.work, store.schedules, rebuilder, clock)
        self.schedule_intake = ScheduleIntake(
            store.schedules, store.work, store.refused, store.counters, calendar, clock
        )
        self.catalogue_intake = CatalogueIntake(self.follower, store.refused, store.counters, clock)
        self.checker = ScheduleChecker(
            store.schedules, store.copies, store.references, store.refused, store.work, calendar
        )
        self.comparer = LegacyComparer(
            store.schedules, store.feed, store.work, store.comparisons, upstreams.legacy, intended_differences
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
    )


def calendar_from(settings: Settings) -> BroadcastCalendar:
    return BroadcastCalendar(ZoneInfo(settings.time_zone), settings.radio_services)


def utc_now() -> datetime:
    """The clock of every real process."""
    return datetime.now(UTC)


def build_pipeline(settings: Settings) -> Pipeline:
    """The whole pipeline on real services."""
    s3 = s3_client(settings.aws_region, settings.aws_endpoint_url)
    sqs = sqs_client(settings.aws_region, settings.aws_endpoint_url)
    link = RedisLink(connect(settings.redis_url.get_secret_value(), cluster=settings.redis_is_cluster))
    catalogue, legacy = (
        link if url is None else RedisLink(connect(url.get_secret_value()))
        for url in (settings.catalogue_redis_url, settings.legacy_redis_url)
    )
    upstreams = Upstreams(
        S3ScheduleSource(s3, settings.schedule_bucket),
        RedisCatalogueSource(catalogue, settings.catalogue_prefix),
        SqsQueue(sqs, settings.schedule_queue),
        SqsQueue(sqs, settings.catalogue_queue),
        RedisLegacyKeyspace(legacy, settings.legacy_prefix),
        SqsQueue(sqs, settings.schedule_dead_letter_queue),
        SqsQueue(sqs, settings.catalogue_dead_letter_queue),
    )
    return Pipeline(
        redis_store(link, settings.keyspace, timedelta(hours=settings.versions_kept_hours)),
        upstreams,
        calendar_from(settings),
        utc_now,
        settings.smallest_share,
        settings.intended_differences,
    )
