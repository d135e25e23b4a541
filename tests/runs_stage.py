"""The code location over a pipeline of fakes, whose jobs and assets are executed in this process."""

from collections.abc import Collection
from datetime import date

import dagster as dg
import orjson
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord
from dagster_stage import DagsterStage, source_document

from schedules_pipeline.assets import names
from schedules_pipeline.definitions import build_defs
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.partitions import ensure_partitions, partition_key
from schedules_pipeline.settings import Settings

SETTINGS = Settings(publisher_linger_seconds=0, publisher_session_seconds=5)
SIDS = [Sid("alder_one"), Sid("alder_two")]
DAYS = [date(2026, 3, 27), date(2026, 3, 28)]
KEYS = [ScheduleKey(sid, day) for sid in SIDS for day in DAYS]
ASSETS = (names.SOURCE_SCHEDULE, names.BACK_REFERENCE_INDEX, names.PARTNER_SCHEDULE)


class RunsStage(DagsterStage):
    """A pipeline of fakes whose source has four schedules, and an instance in memory."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self.definitions = build_defs(SETTINGS, self.pipeline)
        self.put_item("First title")
        for key in KEYS:
            self.upstreams.schedule_source.put(key, source_document(key))
        ensure_partitions(instance, KEYS)

    def put_item(self, title: str) -> None:
        document = {"pid": "b00000001", "type": "episode", "title": title}
        self.upstreams.catalogue_source.documents[Pid("b00000001")] = orjson.dumps(document)

    def run(self, job: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
        resolved = self.definitions.resolve_job_def(job)
        return resolved.execute_in_process(instance=self.instance, partition_key=partition)

    def materialise(
        self, first: ScheduleKey, last: ScheduleKey, assets: Collection[dg.AssetKey] = ASSETS
    ) -> dg.ExecuteInProcessResult:
        """Materialise a range of partitions with the checks of these assets, as the UI does."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        checks = {key for key in self.check_keys() if key.asset_key in assets}
        return job.get_subset(asset_selection=set(assets), asset_check_selection=checks).execute_in_process(
            instance=self.instance,
            tags={
                "dagster/asset_partition_range_start": str(partition_key(first)),
                "dagster/asset_partition_range_end": str(partition_key(last)),
            },
            raise_on_error=False,
        )

    def check_keys(self) -> list[dg.AssetCheckKey]:
        return list(self.definitions.resolve_asset_graph().asset_check_keys)

    def latest_of(self, key: dg.AssetCheckKey) -> AssetCheckExecutionRecord:
        """The record that Dagster shows of a check."""
        return self.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]

    def materialised(self) -> set[str]:
        return set(self.instance.get_materialized_partitions(names.PARTNER_SCHEDULE))
