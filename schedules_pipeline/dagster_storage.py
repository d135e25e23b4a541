"""Access to Dagster's storage that its public interface does not offer.

Belongs here: every use of Dagster's private tables and files. ``tests/dagster_shell/test_pruning.py`` tests each on the
pinned version. On a storage other than Dagster's SQL storage (SQLite, Postgres, MySQL) they do nothing. Does not belong
here: the decision what to keep.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from dagster._core.events import DagsterEventType
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage

_EVALUATIONS = AssetCheckExecutionsTable.c
_EVENTS = SqlEventLogStorageTable
_AT_ONCE = 500


def latest_materialisations(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[dg.EventLogRecord]:
    """The latest materialisation of each partition, in no order, or of an asset without partitions."""
    ids = list(
        instance.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION).values()
    )
    if not ids:
        return list(instance.fetch_materializations(key, limit=1).records)
    found: list[dg.EventLogRecord] = []
    for start in range(0, len(ids), _AT_ONCE):
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + _AT_ONCE])
        found += instance.fetch_materializations(wanted, limit=_AT_ONCE).records
    return found


def is_latest(instance: dg.DagsterInstance, key: dg.AssetKey, record: dg.EventLogRecord) -> bool:
    """Whether no later materialisation of the same asset and partition exists."""
    partitions = None if record.partition_key is None else [record.partition_key]
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions)
    newest = instance.fetch_materializations(wanted, limit=1).records
    return bool(newest) and newest[0].storage_id == record.storage_id


def delete_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete a run, its events, its captured output and, on SQLite, its event file.

    Events are deleted first, so that an interrupted deletion leaves a run that the next pass deletes. Dagster's own
    order would leave events without a run.
    """
    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        _delete_events(storage, run_id)
    instance.delete_run(run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    if isinstance(storage, SqliteEventLogStorage):
        for ending in ("", "-wal", "-shm"):
            Path(f"{storage.path_for_shard(run_id)}{ending}").unlink(missing_ok=True)


def _delete_events(storage: SqlEventLogStorage, run_id: str) -> None:
    """Dagster's own statement lists every event id, which exceeds the database's limit for large runs."""
    of_run = _EVENTS.c.run_id == run_id
    for connected in (storage.run_connection(run_id), storage.index_connection()):
        with connected as connection:
            ids = db.select(_EVENTS.c.id).where(of_run)
            connection.execute(db.delete(AssetEventTagsTable).where(AssetEventTagsTable.c.event_id.in_(ids)))
            connection.execute(db.delete(_EVENTS).where(of_run))


def delete_old_evaluations(
    instance: dg.DagsterInstance,
    before: datetime,
    unfinished_runs: Collection[str],
    is_kept: Callable[[str], bool],
) -> int:
    """Delete check evaluations, which outlive their runs. Returns the number of deleted rows.

    The latest of each check and kept partition stays, as do those of unfinished runs.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    old = db.and_(
        _EVALUATIONS.create_timestamp < before.astimezone(UTC).replace(tzinfo=None),
        _EVALUATIONS.run_id.not_in(list(unfinished_runs)),
    )
    latest = db.select(db.func.max(_EVALUATIONS.id)).group_by(
        _EVALUATIONS.asset_key, _EVALUATIONS.check_name, _EVALUATIONS.partition
    )
    with storage.index_connection() as connection:
        named = connection.execute(db.select(_EVALUATIONS.partition).where(old).distinct()).scalars()
        gone = [partition for partition in named if partition is not None and not is_kept(partition)]
        # The inner select is wrapped, because MySQL cannot delete from a table that it selects from.
        superseded = db.delete(AssetCheckExecutionsTable).where(
            old, _EVALUATIONS.id.not_in(db.select(latest.subquery()))
        )
        deleted = int(connection.execute(superseded).rowcount)
        for start in range(0, len(gone), _AT_ONCE):
            of_gone = _EVALUATIONS.partition.in_(gone[start : start + _AT_ONCE])
            deleted += int(
                connection.execute(db.delete(AssetCheckExecutionsTable).where(old, of_gone)).rowcount
            )
    return deleted


def delete_orphaned_tags(instance: dg.DagsterInstance) -> None:
    """Delete the tags of deleted runs. Dagster does not enable cascading deletes on SQLite."""
    storage = instance.run_storage
    if isinstance(storage, SqlRunStorage):
        with storage.connect() as connection:
            connection.execute(
                db.delete(RunTagsTable).where(RunTagsTable.c.run_id.not_in(db.select(RunsTable.c.run_id)))
            )


def delete_old_tick_logs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete the captured output of ticks, which Dagster leaves behind. Returns the number of files."""
    if not isinstance(instance.compute_log_manager, LocalComputeLogManager):
        return 0
    old = [
        path
        for path in Path(instance.storage_directory()).glob("__repository__/*/*")
        if path.is_file() and path.stat().st_mtime < before.timestamp()
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
