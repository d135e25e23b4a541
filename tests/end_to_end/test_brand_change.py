"""One brand change, from the queue through Dagster's own daemon to published and recorded partitions."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from end_to_end.changes_stage import publish_everything, wait_until
from redis import Redis

from demo.dagster_services import CodeServer, Daemon
from demo.sample import Sample
from demo.servers import RedisServer
from demo.upstream import Upstream
from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.settings import Settings

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def instance(environment: dict[str, str]) -> Iterator[dg.DagsterInstance]:
    """The instance that this environment names."""
    with dg.DagsterInstance.from_config(environment["DAGSTER_HOME"]) as instance:
        yield instance


def test_a_brand_change_materialises_exactly_the_affected_partitions(
    environment: dict[str, str],
    instance: dg.DagsterInstance,
    upstream: Upstream,
    sample: Sample,
    own_redis: RedisServer,
    tmp_path: Path,
) -> None:
    """One brand change publishes and records every schedule below the brand, and no other schedule."""
    pipeline = build_pipeline(Settings())
    publish_everything(pipeline, sample)
    brand, affected = _widest_brand(sample)
    everything = _dump(own_redis)
    changed = {**sample.catalogue[brand], "title": "A Wholly Different Title"}

    with CodeServer(tmp_path, environment) as code_server:
        workspace = code_server.write_workspace()
        with Daemon(tmp_path, environment, workspace):
            upstream.put_catalogue(changed)
            wait_until(lambda: pipeline.store.feed.unrecorded() == 0 and _published(pipeline) == affected)
            wait_until(lambda: pipeline.store.work.backlog().is_empty)
            wait_until(lambda: {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS})

    assert len(affected) > 10
    assert len(affected) < len(sample.schedules)
    expected = {str(partition_key(key)) for key in affected}
    assert set(instance.get_materialized_partitions(names.PARTNER_SCHEDULE)) == expected
    assert not instance.get_materialized_partitions(names.SOURCE_SCHEDULE)
    _assert_recorded_with_its_cause(instance, brand)
    _assert_checks_recorded(instance, expected)
    _assert_only_these_documents_moved(pipeline, everything, _dump(own_redis), affected)
    _assert_upstreams_untouched(everything, _dump(own_redis), brand)


def _widest_brand(sample: Sample) -> tuple[str, set[ScheduleKey]]:
    """The brand below which most schedules are, found without the index, and those schedules."""
    below: dict[str, set[ScheduleKey]] = {}
    for (sid, day), document in sample.schedules.items():
        for broadcast in document["broadcasts"]:
            if not broadcast["is_blanked"]:
                for pid in _lineage(sample, broadcast["episode_pid"]):
                    if sample.catalogue[pid]["type"] == "brand":
                        below.setdefault(pid, set()).add(ScheduleKey(Sid(sid), day))
    return max(below.items(), key=lambda item: (len(item[1]), item[0]))


def _lineage(sample: Sample, pid: str | None) -> Iterator[str]:
    seen: set[str] = set()
    while pid and pid in sample.catalogue and pid not in seen:
        seen.add(pid)
        yield pid
        pid = sample.catalogue[pid].get("parent_pid")


def _published(pipeline: Pipeline) -> set[ScheduleKey]:
    """The changes in the feed after the opening."""
    return {key for key, change in pipeline.store.feed.heads().items() if change.seq > 1}


def _dump(server: RedisServer) -> dict[bytes, bytes]:
    """Every string key, with its value."""
    with Redis.from_url(server.url) as client:
        keys = [key for key in client.scan_iter(count=1000) if client.type(key) == b"string"]
        return {key: value for key, value in zip(keys, client.mget(keys), strict=True) if value is not None}


def _assert_recorded_with_its_cause(instance: dg.DagsterInstance, brand: str) -> None:
    record = instance.get_latest_materialization_event(names.PARTNER_SCHEDULE)
    assert record is not None
    assert record.asset_materialization is not None
    metadata = record.asset_materialization.metadata
    assert metadata["cause"].value == f"catalogue: {brand}"
    assert metadata["seq"].value == 2
    assert metadata["event_id"].value


def _assert_checks_recorded(instance: dg.DagsterInstance, partitions: set[str]) -> None:
    """What can be judged of a version is evaluated, and the state of all schedules without a partition; the comparison
    with the old system waits for its next refresh.
    """
    assert _evaluated(instance, CheckName.REFERENCES_RESOLVED) == {*partitions, None}
    assert _evaluated(instance, CheckName.MATCHES_LEGACY) == set()


def _evaluated(instance: dg.DagsterInstance, name: CheckName) -> set[str | None]:
    key = dg.AssetCheckKey(names.PARTNER_SCHEDULE, name.value)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)
    return {record.partition for record in records}


def _assert_only_these_documents_moved(
    pipeline: Pipeline, before: dict[bytes, bytes], after: dict[bytes, bytes], affected: set[ScheduleKey]
) -> None:
    moved = {key for key in after if b":document:" in key and after[key] != before.get(key)}
    assert moved == {f"schedules:document:{{{key}}}".encode() for key in affected}
    for document in pipeline.store.schedules.documents(sorted(affected)).values():
        assert b"A Wholly Different Title" in document


def _assert_upstreams_untouched(before: dict[bytes, bytes], after: dict[bytes, bytes], brand: str) -> None:
    foreign = [key for key in before.keys() | after.keys() if not key.startswith(b"schedules:")]
    changed = {key for key in foreign if before.get(key) != after.get(key)}
    assert changed == {f"catalogue:{brand}".encode()}
