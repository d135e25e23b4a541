"""Access to Dagster's storage that its public interface does not offer.

Belongs here: every use of Dagster's private tables and files. ``tests/dagster_shell/test_pruning.py`` and
``test_event_batches.py`` test each on the pinned version. On a storage other than Dagster's SQL storage (SQLite,
Postgres, MySQL) deletions do nothing, and events are stored one by one. Does not belong here: the decision what to
record and what to keep.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.events import ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS, DagsterEventType
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    DynamicPartitionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage

from schedules_pipeline.packed_events import (
    Subject,
    is_evaluation,
    is_materialisation,
    packed_event,
    subject_of,
)

_EVALUATIONS = AssetCheckExecutionsTable.c
_EVENTS = SqlEventLogStorageTable
_PARTITIONS = DynamicPartitionsTable.c
_AT_ONCE = 500
_SORTED_AT_MOST = 5
_READ_ACROSS_RUNS: Collection[DagsterEventType | None] = frozenset(
    {*ASSET_EVENTS, DagsterEventType.ASSET_CHECK_EVALUATION, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS}
)


def store_events(
    instance: dg.DagsterInstance, entries: Sequence[dg.EventLogEntry], *, is_new_run: bool
) -> None:
    """Store events of one run in a few statements, with everything that Dagster derives from each.

    In a run that is not new, an evaluation replaces the planned or earlier evaluation of its check and partition. All
    evaluations become visible at once, before Dagster shows the materialisations as the latest of their assets: a check
    would be not evaluated in between.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        for entry in entries:
            storage.store_event(entry)
        return
    stored: list[tuple[dg.EventLogEntry, int]] = []
    evaluations: list[dict[str, Any]] = []
    for start in range(0, len(entries), _AT_ONCE):
        numbered, evaluated = _store_some(storage, entries[start : start + _AT_ONCE])
        stored += numbered
        evaluations += evaluated
    if evaluations:
        with storage.index_transaction() as connection:
            if not is_new_run:
                _delete_evaluations(connection, evaluations)
            connection.execute(db.insert(AssetCheckExecutionsTable), evaluations)
    _store_asset_events(storage, stored)


def _store_some(
    storage: SqlEventLogStorage, entries: Sequence[dg.EventLogEntry]
) -> tuple[list[tuple[dg.EventLogEntry, int]], list[dict[str, Any]]]:
    """Returns the numbers of the events, and the rows of the evaluations, which are not stored yet."""
    rows = [(entry, _event_row(storage, entry)) for entry in entries]
    if isinstance(storage, SqliteEventLogStorage):
        # Each run has a file of its own there, and what is read across runs is stored a second time.
        with storage.run_connection(entries[0].run_id) as connection:
            connection.execute(db.insert(_EVENTS), [row for _, row in rows])
        rows = [(entry, row) for entry, row in rows if entry.dagster_event_type in _READ_ACROSS_RUNS]
        if not rows:
            return [], []
    targets = _earlier_targets(storage, [entry for entry, _ in rows])
    with storage.index_transaction() as connection:
        insert = db.insert(_EVENTS).returning(_EVENTS.c.id, sort_by_parameter_order=True)
        numbers = connection.execute(insert, [row for _, row in rows]).scalars().all()
        stored = [(entry, number) for (entry, _), number in zip(rows, numbers, strict=True)]
    targets |= {subject_of(entry): number for entry, number in stored if is_materialisation(entry)}
    evaluations = [
        _evaluation_row(entry, number, row["event"], targets.get(subject_of(entry)))
        for (entry, row), number in zip(rows, numbers, strict=True)
        if is_evaluation(entry)
    ]
    return stored, evaluations


def _event_row(storage: SqlEventLogStorage, entry: dg.EventLogEntry) -> dict[str, Any]:
    """Dagster's row of an event."""
    event = entry.get_dagster_event()
    return {
        "run_id": entry.run_id,
        "event": packed_event(entry),
        "dagster_event_type": event.event_type_value,
        # The form depends on the database.
        "timestamp": storage._event_insert_timestamp(entry),  # type: ignore[no-untyped-call]  # noqa: SLF001
        "step_key": event.step_key,
        "asset_key": event.asset_key and event.asset_key.to_string(),
        "partition": event.partition,
    }


def _store_asset_events(storage: SqlEventLogStorage, stored: Sequence[tuple[dg.EventLogEntry, int]]) -> None:
    """Store tags, and the latest event of each asset."""
    of_assets = [(entry, number) for entry, number in stored if entry.dagster_event_type in ASSET_EVENTS]
    storage.store_asset_event_tags([entry for entry, _ in of_assets], [number for _, number in of_assets])
    latest = {entry.get_dagster_event().asset_key: (entry, number) for entry, number in of_assets}
    for entry, number in latest.values():
        storage.store_asset_event(entry, number)


def _earlier_targets(storage: SqlEventLogStorage, entries: Sequence[dg.EventLogEntry]) -> dict[Subject, int]:
    """The latest materialisation of each partition that is evaluated here, but not materialised."""
    materialised = {subject_of(entry) for entry in entries if is_materialisation(entry)}
    wanted: dict[dg.AssetKey | None, set[str]] = defaultdict(set)
    for key, partition in {subject_of(entry) for entry in entries if is_evaluation(entry)} - materialised:
        if partition is not None:
            wanted[key].add(partition)
    return {
        (key, partition): number
        for key, partitions in wanted.items()
        if key is not None
        for partition, number in storage.get_latest_storage_id_by_partition(
            key, DagsterEventType.ASSET_MATERIALIZATION, partitions
        ).items()
    }


def _evaluation_row(entry: dg.EventLogEntry, number: int, event: str, target: int | None) -> dict[str, Any]:
    """``event``: the JSON of the entry. ``target``: the evaluated materialisation. Dagster shows an evaluation of a
    partition only while its target is the latest.
    """
    evaluation: Any = entry.get_dagster_event().event_specific_data
    status = AssetCheckExecutionRecordStatus
    return {
        "asset_key": evaluation.asset_key.to_string(),
        "check_name": evaluation.check_name,
        "partition": evaluation.partition,
        "run_id": entry.run_id,
        "execution_status": (status.SUCCEEDED if evaluation.passed else status.FAILED).value,
        "evaluation_event": event,
        "evaluation_event_timestamp": datetime.fromtimestamp(entry.timestamp, UTC).replace(tzinfo=None),
        "evaluation_event_storage_id": number,
        "materialization_event_storage_id": target,
    }


def _delete_evaluations(connection: db.Connection, replaced: Sequence[dict[str, Any]]) -> None:
    """Delete what these rows replace: rows of the same run, check and partition."""
    partitions: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in replaced:
        partitions[row["run_id"], row["asset_key"], row["check_name"]].append(row["partition"])
    for (run_id, asset_key, check_name), of_check in partitions.items():
        for start in range(0, len(of_check), _AT_ONCE):
            wanted = of_check[start : start + _AT_ONCE]
            connection.execute(
                db.delete(AssetCheckExecutionsTable).where(
                    _EVALUATIONS.run_id == run_id,
                    _EVALUATIONS.asset_key == asset_key,
                    _EVALUATIONS.check_name == check_name,
                    _EVALUATIONS.partition.in_(wanted),
                )
            )


def forget_evaluations_of_all(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete the evaluations of a run that are about no partition, planned ones among them, so that the evaluations
    that follow are stored as new, latest ones.

    Dagster would write an evaluation into the row that was planned when the run began, older than each row since, and
    fails if there are several.
    """
    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        of_run = db.and_(_EVALUATIONS.run_id == run_id, _EVALUATIONS.partition.is_(None))
        with storage.index_connection() as connection:
            connection.execute(db.delete(AssetCheckExecutionsTable).where(of_run))


def store_finished_run(
    instance: dg.DagsterInstance, run_id: str, began_at: datetime, ended_at: datetime
) -> None:
    """Store when a run began and ended, which Dagster otherwise takes from the events of a run in progress."""
    storage = instance.run_storage
    if isinstance(storage, SqlRunStorage):
        times = {"start_time": began_at.timestamp(), "end_time": ended_at.timestamp()}
        with storage.connect() as connection:
            connection.execute(db.update(RunsTable).where(RunsTable.c.run_id == run_id).values(times))


def add_partitions_sorted(instance: dg.DagsterInstance, name: str, keys: Collection[str]) -> None:
    """Add dynamic partitions so that all of that name are in order. Dagster shows them in the order of insertion.

    They are sorted by removing and adding all in one transaction, so that no reader and no death of this process finds
    one missing. If another process adds some at the same time, they are sorted again.
    """
    storage = instance.event_log_storage
    instance.add_dynamic_partitions(name, sorted(keys))
    if not isinstance(storage, SqlEventLogStorage):
        return
    for _ in range(_SORTED_AT_MOST):
        present = list(instance.get_dynamic_partitions(name))
        if present == sorted(present):
            return
        with suppress(db.exc.IntegrityError):
            _sort_partitions(storage, name)


def _sort_partitions(storage: SqlEventLogStorage, name: str) -> None:
    of_name = _PARTITIONS.partitions_def_name == name
    with storage.index_transaction() as connection:
        remove = db.delete(DynamicPartitionsTable).where(of_name).returning(_PARTITIONS.partition)
        removed = sorted(connection.execute(remove).scalars())
        if removed:
            rows = [{"partitions_def_name": name, "partition": key} for key in removed]
            connection.execute(DynamicPartitionsTable.insert(), rows)


def move_evaluations(
    instance: dg.DagsterInstance, key: dg.AssetKey, carried: Sequence[dg.EventLogRecord]
) -> None:
    """Make evaluations of these materialisations evaluations of the ones that were just recorded in their place."""
    storage = instance.event_log_storage
    partitions = {record.partition_key for record in carried if record.partition_key is not None}
    if not isinstance(storage, SqlEventLogStorage) or not partitions:
        return
    kind = DagsterEventType.ASSET_MATERIALIZATION
    latest = instance.get_latest_storage_id_by_partition(key, kind, partitions)
    target = _EVALUATIONS.materialization_event_storage_id
    move = (
        db.update(AssetCheckExecutionsTable)
        .where(_EVALUATIONS.asset_key == key.to_string(), target == db.bindparam("old"))
        .values({target: db.bindparam("new")})
    )
    moved = [
        {"old": record.storage_id, "new": latest[record.partition_key]}
        for record in carried
        if record.partition_key is not None
    ]
    with storage.index_connection() as connection:
        connection.execute(move, moved)


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


def still_latest(
    instance: dg.DagsterInstance, key: dg.AssetKey, records: Sequence[dg.EventLogRecord]
) -> list[dg.EventLogRecord]:
    """Those of these materialisations of an asset that no later one of the same partition follows."""
    partitions = {record.partition_key for record in records if record.partition_key is not None}
    kind = DagsterEventType.ASSET_MATERIALIZATION
    newest = set(instance.get_latest_storage_id_by_partition(key, kind, partitions).values())
    if not partitions:
        newest = {record.storage_id for record in instance.fetch_materializations(key, limit=1).records}
    return [record for record in records if record.storage_id in newest]


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
        _unlink_events(storage, run_id)


def delete_written_runs(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """Delete runs that were written rather than launched, which have no captured output, many at once."""
    events, runs = instance.event_log_storage, instance.run_storage
    if not (isinstance(events, SqlEventLogStorage) and isinstance(runs, SqlRunStorage)):
        for run_id in run_ids:
            delete_run(instance, run_id)
        return
    for start in range(0, len(run_ids), _AT_ONCE):
        some = run_ids[start : start + _AT_ONCE]
        with events.index_connection() as connection:
            _delete_where(connection, _EVENTS.c.run_id.in_(some))
        with runs.connect() as connection:
            connection.execute(db.delete(RunTagsTable).where(RunTagsTable.c.run_id.in_(some)))
            connection.execute(db.delete(RunsTable).where(RunsTable.c.run_id.in_(some)))
        if isinstance(events, SqliteEventLogStorage):
            for run_id in some:
                _unlink_events(events, run_id)


def _delete_events(storage: SqlEventLogStorage, run_id: str) -> None:
    """Dagster's own statement lists every event id, which exceeds the database's limit for large runs."""
    for connected in (storage.run_connection(run_id), storage.index_connection()):
        with connected as connection:
            _delete_where(connection, _EVENTS.c.run_id == run_id)


def _delete_where(connection: db.Connection, of_runs: db.ColumnElement[bool]) -> None:
    ids = db.select(_EVENTS.c.id).where(of_runs)
    connection.execute(db.delete(AssetEventTagsTable).where(AssetEventTagsTable.c.event_id.in_(ids)))
    connection.execute(db.delete(_EVENTS).where(of_runs))


def _unlink_events(storage: SqliteEventLogStorage, run_id: str) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{storage.path_for_shard(run_id)}{ending}").unlink(missing_ok=True)


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
