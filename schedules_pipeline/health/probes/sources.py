"""Probes of the sources and of Redis: each answers for something that it has, and for something that it lacks."""

from collections.abc import Iterator
from itertools import islice

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.health.ports import HealthStore
from schedules_pipeline.health.probes.probe import Finding, failed, passed, unchecked
from schedules_pipeline.migration.ports import LegacyKeyspace
from schedules_pipeline.publishing.ports.catalogue import CatalogueSource
from schedules_pipeline.publishing.ports.upstream import ScheduleSource

_TRIED = 5
"""Documents that are fetched, in case one is removed after it was listed."""

_ITEMS = 50


def probe_bucket(source: ScheduleSource, absent: ScheduleKey) -> Iterator[Finding]:
    """A listed document is there, and S3 itself says that another is absent. A gateway does not: ADR 26."""
    subject = "S3"
    listed = list(islice(source.list_keys(), _TRIED))
    fetched = source.fetch([absent, *listed])
    for found in fetched.values():
        if isinstance(found, Exception):
            raise found
    if fetched[absent] is not None:
        yield unchecked(subject, f"it has a document of {absent}")
    if not listed:
        yield unchecked(subject, "the bucket lists no schedule document, so only an absence was checked")
    elif all(fetched[key] is None for key in listed):
        text = f"S3 lists {listed[0]} and says that it does not exist"
        yield failed(subject, text, "check SCHEDULES_AWS_ENDPOINT_URL, and the proxy or gateway before it")
    else:
        yield passed(subject, f"S3 has {listed[0]}, and says itself that {absent} does not exist")


def probe_catalogue(store: HealthStore, source: CatalogueSource, absent: Pid) -> Iterator[Finding]:
    """Items that have copies are found, so that server and prefix are right."""
    subject = "the catalogue keyspace"
    pids = next(iter(store.copies.stored_pids()), [])[:_ITEMS]
    found = source.read([*pids, absent])
    if absent in found:
        yield unchecked(subject, f"it has an item {absent}")
    if not pids:
        yield unchecked(subject, "there is no copy to compare with")
    elif not found:
        text = f"the catalogue keyspace has none of {len(pids)} items that schedules use"
        remedy = "check SCHEDULES_CATALOGUE_REDIS_URL and SCHEDULES_CATALOGUE_PREFIX"
        yield failed(subject, text, remedy)
    else:
        yield passed(subject, f"the catalogue keyspace has {len(found)} of {len(pids)} items")


def probe_legacy(legacy: LegacyKeyspace) -> Iterator[Finding]:
    """The old system's keyspace answers, and its first document can be read."""
    subject = "the legacy keyspace"
    refreshed, listed = legacy.refreshed_at(), list(islice(legacy.list_keys(), 1))
    if not refreshed and not listed:
        yield unchecked(subject, "it is empty, which is right if there is no old system")
    elif not legacy.read(listed):
        yield failed(subject, "the legacy keyspace has no document", "check SCHEDULES_LEGACY_PREFIX")
    else:
        yield passed(subject, f"the legacy keyspace has {listed[0]}, refreshed {refreshed or 'never'}")


def probe_writes(store: HealthStore) -> Iterator[Finding]:
    store.work.require_writable()
    yield passed("Redis", "Redis accepts writes")
