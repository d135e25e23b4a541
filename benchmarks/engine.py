"""The pipeline without Dagster, in the benchmark's own process, on a real Redis."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import SecretStr

from benchmarks.harness import WrongResult
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline, policies_from, utc_now
from schedules_pipeline.documents.accepted_schedule import parse_accepted
from schedules_pipeline.documents.broadcasts import render_joined
from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.documents.stored_form import decompress_remembered
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.follow_catalogue import FollowResult
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.ports.upstream import ScheduleSource, SourceObject
from schedules_pipeline.publishing.publish import BATCH_SIZE
from schedules_pipeline.settings import Settings


class DocumentsInMemory:
    """A schedule source in memory; implements ScheduleSource."""

    def __init__(self, documents: Mapping[ScheduleKey, bytes]) -> None:
        self._documents = documents

    def list_keys(self) -> Iterator[ScheduleKey]:
        return iter(self._documents)

    def fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        return {
            key: SourceObject(self._documents[key], "1") if key in self._documents else None for key in keys
        }


def make_engine(
    redis_url: str, source: ScheduleSource | None, keyspace: str = "schedules", *, catalogue_url: str = ""
) -> Pipeline:
    """The pipeline as it is in production, but for the schedule source, where one is given, and the horizon:
    samples may be of any day. ``catalogue_url``: the catalogue has a server of its own, and ``redis_url`` is a cluster.
    """
    settings = Settings(
        redis_url=SecretStr(redis_url),
        redis_is_cluster=bool(catalogue_url),
        catalogue_redis_url=SecretStr(catalogue_url) if catalogue_url else None,
        keyspace=keyspace,
        retention_days=0,
    )
    built = build_pipeline(settings)
    if source is None:
        return built
    upstreams = replace(built.upstreams, schedule_source=source)
    return Pipeline(built.store, upstreams, built.calendar, built.clock, policies_from(settings))


def forget_what_is_remembered() -> None:
    """Empty all caches, as in a process that has just started."""
    decompress_remembered.cache_clear()
    parse_accepted.cache_clear()
    parse_copy.cache_clear()
    render_joined.cache_clear()


def rebuild_everything(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> None:
    """Build all from the sources into an empty keyspace, in the batches and the order of the coldstart job.

    Raises :class:`WrongResult` where not every schedule was published.
    """
    in_order = sorted(keys, key=lambda key: (key.date, key.sid))
    cause = Cause("benchmark", Origin.COLDSTART, "all", utc_now())
    published = 0
    for start in range(0, len(in_order), BATCH_SIZE):
        batch = pipeline.publisher.rebuild_from_sources(in_order[start : start + BATCH_SIZE], cause)
        published += batch.count(Outcome.PUBLISHED)
    if published != len(keys):
        raise WrongResult(f"{published} of {len(keys)} schedules were published")


def follow_item(pipeline: Pipeline, pid: str) -> FollowResult:
    """Ingest a notification of this catalogue item."""
    cause = Cause("benchmark", Origin.CATALOGUE, pid, utc_now())
    return pipeline.follower.follow({Pid(pid): cause})


def publish_exactly(pipeline: Pipeline, count: int) -> None:
    """Publish the next batch. Raises WrongResult unless it changes exactly ``expected`` schedules."""
    batch = pipeline.publisher.publish_next(max(count, BATCH_SIZE))
    published = 0 if batch is None else batch.count(Outcome.PUBLISHED)
    if batch is None or (published, len(batch.built)) != (count, count):
        raise WrongResult(f"{published} schedules were published, not {count}")
