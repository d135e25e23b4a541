"""The jobs and assets, executed in this process over a pipeline of fakes."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import orjson
import pytest
import structlog
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from runs_stage import ASSETS, KEYS, SETTINGS, SIDS, RunsStage

from schedules_pipeline import run_by_hand
from schedules_pipeline.assets import names
from schedules_pipeline.definitions import build_defs
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs import coldstart, publish_affected
from schedules_pipeline.partitions import (
    SCHEDULE_PARTITIONS,
    coldstart_shards,
    ensure_partitions,
    partition_key,
)
from schedules_pipeline.publishing.intake import ingest
from schedules_pipeline.publishing.ports.upstream import Message


@pytest.fixture
def stage() -> Iterator[RunsStage]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield RunsStage(instance)


def test_a_coldstart_builds_and_records_everything(stage: RunsStage) -> None:
    """The shards of a coldstart, one run each, publish and record every schedule that the source lists."""
    for shard in coldstart_shards(SETTINGS).get_partition_keys():
        assert stage.run(coldstart.JOB_NAME, shard).success

    assert set(stage.store.schedules.documents(KEYS)) == set(KEYS)
    assert stage.materialised() == {str(partition_key(key)) for key in KEYS}
    assert stage.store.work.backlog().is_empty


def test_the_runs_of_a_backfill_are_one_coldstart(stage: RunsStage) -> None:
    """The last run of a backfill finds everything built and does not start again."""
    job = stage.definitions.resolve_job_def(coldstart.JOB_NAME)

    results = [
        job.execute_in_process(
            instance=stage.instance, partition_key=shard, tags={"dagster/backfill": "a backfill"}
        )
        for shard in coldstart_shards(SETTINGS).get_partition_keys()
    ]

    latest = stage.store.coldstarts.latest()
    assert all(result.success for result in results)
    assert latest is not None
    assert (latest.id, latest.done, latest.published) == ("a backfill", len(KEYS), len(KEYS))


def test_a_coldstart_of_what_is_right_publishes_nothing(stage: RunsStage) -> None:
    """A second coldstart of an unchanged store publishes no version."""
    shards = coldstart_shards(SETTINGS).get_partition_keys()
    for shard in [*shards, *shards]:
        stage.run(coldstart.JOB_NAME, shard)

    assert {change.seq for change in stage.store.feed.heads().values()} == {1}


def test_a_coldstart_heals_a_copy_that_missed_its_notification(stage: RunsStage) -> None:
    """A catalogue change that was never announced reaches partners by a coldstart."""
    shards = coldstart_shards(SETTINGS).get_partition_keys()
    for shard in shards:
        stage.run(coldstart.JOB_NAME, shard)
    stage.put_item("Second title")
    for shard in shards:
        stage.run(coldstart.JOB_NAME, shard)
    stage.pipeline.publisher.publish_all()

    documents = stage.store.schedules.documents(KEYS)

    assert all(b"Second title" in document for document in documents.values())


def test_a_coldstart_removes_what_the_source_no_longer_has(stage: RunsStage) -> None:
    """A coldstart removes a schedule that the source no longer lists."""
    shards = coldstart_shards(SETTINGS).get_partition_keys()
    for shard in shards:
        stage.run(coldstart.JOB_NAME, shard)
    stage.upstreams.schedule_source.remove(KEYS[0])
    for shard in shards:
        stage.run(coldstart.JOB_NAME, shard)

    assert set(stage.store.schedules.documents(KEYS)) == set(KEYS[1:])


def test_a_publisher_builds_records_and_goes(stage: RunsStage) -> None:
    """A publisher run publishes and records pending schedules, and ends when none is left."""
    body = orjson.dumps({"sid": "alder_one", "date": "2026-03-28"}).decode()
    stage.pipeline.schedule_intake.handle([Message("m1", body, stage.clock(), "", 1)])

    result = stage.run(publish_affected.JOB_NAME)

    assert result.success
    assert stage.materialised() == {"2026-03-28|alder_one"}
    assert stage.store.feed.unrecorded() == 0
    assert not stage.store.presence.present()


def test_materialising_a_range_rebuilds_just_that_range(stage: RunsStage) -> None:
    """A range of the UI across both dimensions is rebuilt from the sources, recorded, and nothing else."""
    result = stage.materialise(KEYS[0], KEYS[2])

    run = stage.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["schedules/services"] == "alder_one, alder_two"
    assert run.tags["schedules/trigger"] == "operator"
    assert run.tags["schedules/cause"] == "materialise"
    assert result.success
    assert stage.materialised() == {"2026-03-27|alder_one", "2026-03-27|alder_two"}
    assert set(stage.store.schedules.documents(KEYS)) == {KEYS[0], KEYS[2]}


def test_materialising_gives_the_bytes_that_an_event_gives(stage: RunsStage) -> None:
    """The document of a materialised partition is the one that a notification would have led to."""
    stage.materialise(KEYS[0], KEYS[0])
    by_hand = stage.store.feed.heads()[KEYS[0]].etag
    body = orjson.dumps({"sid": "alder_one", "date": "2026-03-27"}).decode()
    stage.pipeline.schedule_intake.handle([Message("m1", body, stage.clock(), "", 1)])

    (batch,) = stage.pipeline.publisher.publish_all()

    assert [(built.outcome, built.change.etag) for built in batch.built] == [("unchanged", by_hand)]


def test_materialising_again_records_again(stage: RunsStage) -> None:
    """Materialising an up-to-date partition records a materialisation without a new version."""
    stage.materialise(KEYS[0], KEYS[0])
    stage.materialise(KEYS[0], KEYS[0])

    records = stage.instance.fetch_materializations(names.PARTNER_SCHEDULE, limit=10).records

    assert len(records) == 2
    assert stage.store.feed.heads()[KEYS[0]].seq == 1


def test_a_chosen_partition_without_a_source_says_so(stage: RunsStage) -> None:
    """Its record is of a document that is none, so that Dagster does not call a backfill with it failed."""
    stage.materialise(KEYS[0], KEYS[0])
    stage.upstreams.schedule_source.remove(KEYS[0])
    never = ScheduleKey(SIDS[0], date(2026, 3, 30))
    ensure_partitions(stage.instance, [never])

    results = [stage.materialise(key, key, [names.PARTNER_SCHEDULE]) for key in (never, KEYS[0])]

    assert all(result.success for result in results)
    assert stage.materialised() == {str(partition_key(key)) for key in (never, KEYS[0])}
    latest = stage.instance.fetch_materializations(names.PARTNER_SCHEDULE, limit=2).records
    assert {(each.run_id, told(each)) for each in latest} == {
        (result.run_id, "no document") for result in results
    }
    # Dagster shows a partition whose input has no record as out of date.
    assert all(
        str(partition_key(never)) in stage.instance.get_materialized_partitions(each) for each in ASSETS
    )


def test_a_chosen_partition_whose_only_document_is_rejected_stays_missing(stage: RunsStage) -> None:
    """The check of the source tells why, and a backfill with it has failed."""
    stage.upstreams.schedule_source.put(KEYS[0], b"{")

    result = stage.materialise(KEYS[0], KEYS[2])

    assert result.success
    assert stage.materialised() == {str(partition_key(KEYS[2]))}


def told(record: dg.EventLogRecord) -> str | None:
    assert record.asset_materialization
    return record.asset_materialization.description


def test_materialising_what_cannot_be_fetched_fails_and_says_which(
    stage: RunsStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the source does not answer, the run fails and names the schedule, which waits for a retry."""
    silent = {KEYS[0]: ServiceError("no answer")}
    monkeypatch.setattr(stage.upstreams.schedule_source, "fetch", lambda _: silent)

    result = stage.materialise(KEYS[0], KEYS[0])

    assert not result.success
    assert "could not be fetched" in str(result.get_step_failure_events()[0].step_failure_data.error)
    assert stage.store.work.backlog().waiting == 1


def test_the_grid_shows_exactly_what_could_not_be_fetched_as_failed(
    stage: RunsStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed run over several partitions those without an answer are failed, and the others materialised."""
    fetch, silent = stage.upstreams.schedule_source.fetch, {KEYS[0]: ServiceError("no answer")}
    monkeypatch.setattr(stage.upstreams.schedule_source, "fetch", lambda keys: {**fetch(keys), **silent})

    result = stage.materialise(KEYS[0], KEYS[2])

    partitions = [str(partition_key(key)) for key in (KEYS[0], KEYS[2])]
    statuses = stage.instance.get_status_by_partition(names.PARTNER_SCHEDULE, partitions, SCHEDULE_PARTITIONS)
    assert not result.success
    assert statuses == dict(
        zip(partitions, (AssetPartitionStatus.FAILED, AssetPartitionStatus.MATERIALIZED), strict=True)
    )


def test_materialising_the_copies_compares_them_with_the_source(stage: RunsStage) -> None:
    """The catalogue assets update an outdated copy and mark its schedules for rebuild."""
    stage.materialise(KEYS[0], KEYS[-1])
    stage.put_item("Second title")
    job = stage.definitions.resolve_implicit_global_asset_job_def()

    result = job.execute_in_process(
        instance=stage.instance,
        asset_selection=[names.CATALOGUE_EPISODES, names.CATALOGUE_SERIES, names.CATALOGUE_BRANDS],
    )

    assert result.success
    assert stage.store.work.backlog().pending == len(KEYS)


def test_the_checks_run_by_hand_say_how_many_pass(stage: RunsStage) -> None:
    """Run from the UI, each check gives a summary; without schedules it does not pass."""
    job = stage.definitions.resolve_implicit_global_asset_job_def()
    keys = stage.check_keys()
    empty = _run_checks(stage, job, keys)
    stage.materialise(KEYS[0], KEYS[-1])

    full = _run_checks(stage, job, keys)

    assert not any(empty.values())
    assert full["index_complete"]
    assert full["references_resolved"]
    assert not full["matches_legacy"]


def _run_checks(stage: RunsStage, job: dg.JobDefinition, keys: list[dg.AssetCheckKey]) -> dict[str, bool]:
    subset = job.get_subset(asset_check_selection=set(keys), asset_selection=set())
    result = subset.execute_in_process(instance=stage.instance)
    summaries = [e for e in result.get_asset_check_evaluations() if e.partition is None]
    return {evaluation.check_name: evaluation.passed for evaluation in summaries}


def test_materialising_leaves_no_check_planned(stage: RunsStage) -> None:
    """Dagster shows a summary of each check over the partitions of the run, newer than the result of any partition."""
    stage.materialise(KEYS[0], KEYS[0])

    latest = {key.name: stage.latest_of(key) for key in stage.check_keys() if key.asset_key in ASSETS}
    told = {name: record.evaluation.description for name, record in latest.items() if record.evaluation}

    assert AssetCheckExecutionRecordStatus.PLANNED not in {record.status for record in latest.values()}
    assert told.pop("matches_legacy") == "this run has checked no schedule; of all, no schedule fails"
    told["no_gaps_or_overlaps"], example = (told["no_gaps_or_overlaps"] or "").split(
        "; alder_one/2026-03-27: "
    )
    assert example == "ends 1020 minutes before the next broadcast day begins"
    assert set(told.values()) == {
        "1 of 1 schedules of this run pass; of all, no schedule fails",
        "0 of 1 schedules of this run pass; of all, 1 schedule fails",
    }


def test_a_run_of_several_batches_tells_one_state_of_each_check(
    stage: RunsStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch writes the state of the checks; at the end the run has written one, the latest of Dagster."""
    monkeypatch.setattr(run_by_hand, "in_batches", lambda keys: ([key] for key in keys))

    result = stage.materialise(KEYS[0], KEYS[-1])

    key = dg.AssetCheckKey(names.PARTNER_SCHEDULE, "references_resolved")
    history = stage.instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    assert result.success
    assert [number for number, record in enumerate(history) if record.partition is None] == [0]


def test_one_asset_is_materialised_alone(stage: RunsStage) -> None:
    """Of a schedule that is right already only the selected asset gets a record; of a new version all that changed."""
    stage.materialise(KEYS[0], KEYS[0], [names.PARTNER_SCHEDULE])
    stage.materialise(KEYS[0], KEYS[0], [names.PARTNER_SCHEDULE])

    records = {key: stage.instance.fetch_materializations(key, limit=10).records for key in ASSETS}

    assert {key.to_user_string(): len(found) for key, found in records.items()} == {
        "source_schedule": 1,
        "back_reference_index": 1,
        "partner_schedule": 2,
    }


def test_one_check_is_evaluated_alone(stage: RunsStage) -> None:
    """Executing one check evaluates it for each published schedule, and no other check."""
    stage.materialise(KEYS[0], KEYS[-1])
    (key,) = [key for key in stage.check_keys() if key.name == "references_resolved"]
    job = stage.definitions.resolve_implicit_global_asset_job_def()
    subset = job.get_subset(asset_check_selection={key}, asset_selection=set())

    run_id = subset.execute_in_process(instance=stage.instance).run_id

    entries = stage.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [entry.get_dagster_event().asset_check_evaluation_data for entry in entries]
    assert {each.check_name for each in found} == {"references_resolved"}
    assert {each.partition for each in found} == {None, *(str(partition_key(key)) for key in KEYS)}


def test_a_failed_run_is_executed_again_for_the_same_partitions(
    stage: RunsStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with the tags of a failed one, as Dagster's re-execution has them, rebuilds the partitions that failed."""
    with monkeypatch.context() as patched:
        patched.setattr(
            stage.upstreams.schedule_source, "fetch", lambda keys: {key: ServiceError("no") for key in keys}
        )
        failed = stage.materialise(KEYS[0], KEYS[2])
    job = stage.definitions.resolve_implicit_global_asset_job_def()
    parent = stage.instance.get_run_by_id(failed.run_id)
    assert parent is not None

    again = job.get_subset(asset_selection=set(ASSETS)).execute_in_process(
        instance=stage.instance, tags={name: value for name, value in parent.tags.items() if "range" in name}
    )

    assert not failed.success
    assert again.success
    assert stage.materialised() == {str(partition_key(KEYS[0])), str(partition_key(KEYS[2]))}


def test_a_version_links_to_its_document_its_page_and_its_row(stage: RunsStage) -> None:
    """With the address of the delivery service each record links to it; without one there is no link."""
    stage.materialise(KEYS[0], KEYS[0])
    settings = SETTINGS.model_copy(update={"delivery_url": "https://guide.example.org/"})
    stage.definitions = build_defs(settings, stage.pipeline)
    stage.materialise(KEYS[0], KEYS[0])

    linked, bare = [
        {
            name: value.value
            for name, value in record.asset_materialization.metadata.items()
            if isinstance(value, dg.UrlMetadataValue) and value.value is not None
        }
        for record in stage.instance.fetch_materializations(names.PARTNER_SCHEDULE, limit=2).records
        if record.asset_materialization is not None
    ]

    assert bare == {}
    assert linked["document"] == f"https://guide.example.org/v1/schedules/{KEYS[0]}"
    assert linked["guide"] == f"https://guide.example.org/guide/{KEYS[0]}"
    assert linked["feed"] == f"https://guide.example.org/guide/{KEYS[0]}/versions?after=1#feed-row"


def test_an_event_is_followed_by_its_id(stage: RunsStage) -> None:
    """From notification to record every line carries the id of the upstream's message, and so does the version."""
    message = {"sid": str(KEYS[0].sid), "date": KEYS[0].date.isoformat()}
    stage.upstreams.schedule_queue.post(orjson.dumps(message).decode())
    ingest(stage.upstreams.schedule_queue, stage.pipeline.schedule_intake.handle, 0)

    with structlog.testing.capture_logs() as logs:
        stage.run(publish_affected.JOB_NAME)

    told = {log["event"]: log["event_id"] for log in logs if log.get("schedule") == str(KEYS[0])}
    assert told == {"schedule published": "schedule-1", "version recorded": "schedule-1"}
    version = stage.instance.get_latest_materialization_event(names.PARTNER_SCHEDULE)
    assert version is not None
    assert version.asset_materialization is not None
    assert version.asset_materialization.metadata["event_id"].value == "schedule-1"
