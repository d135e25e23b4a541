"""Dagster's storage on Postgres, with connections that stay open. ``dagster.yaml`` names the class of this module.

Dagster opens a connection for each statement, except in its webserver. That takes 5 ms or more: a process of Postgres,
and a computation for the password on both sides (docs/adr/0054).
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as db
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import get_token_provider_from_config, pg_url_from_config

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData

_RECYCLED_AFTER_SECONDS = 300
_MOST_CONNECTIONS = 20
_NO_TIMEOUT = 0


class PooledPostgresStorage(DagsterPostgresStorage):
    """Takes the options of Dagster's storage on Postgres, and keeps up to three connections of an instance open.

    They are closed when the instance is disposed of. An engine that has connected is part of a cycle of references, so
    the connections of one that is only dropped stay open until the garbage collector finds it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        storages = (self._run_storage, self._event_log_storage, self._schedule_storage)
        keep_connections(*storages)
        # An instance disposes of its event log last, and of its schedule storage never.
        dispose = partial(_dispose_of_all, self._event_log_storage.dispose, storages)
        self._event_log_storage.dispose = dispose  # type: ignore[method-assign]

    @classmethod
    def from_config_value(
        cls, inst_data: "ConfigurableClassData | None", config_value: Mapping[str, Any]
    ) -> "PooledPostgresStorage":
        return cls(
            inst_data=inst_data,
            postgres_url=pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            token_provider=get_token_provider_from_config(config_value),
        )


def keep_connections(*storages: Any) -> None:
    """Keep a connection of each of Dagster's storages open. Those on other databases than Postgres stay as they are.

    It is tried before it is used: one that a restart of the database has closed is replaced, and no statement fails.
    Dagster's webserver makes pools of its own afterwards, which do not try.
    """
    for storage in storages:
        if isinstance(storage, (PostgresRunStorage, PostgresEventLogStorage, PostgresScheduleStorage)):
            storage.optimize_for_webserver(_NO_TIMEOUT, _RECYCLED_AFTER_SECONDS, _MOST_CONNECTIONS)
            engine = storage._engine  # noqa: SLF001 - Dagster has no option for it
            db.event.listen(engine, "checkout", partial(_require_open, engine.dialect))


def _dispose_of_all(dispose_of_event_log: Callable[[], None], storages: Iterable[Any]) -> None:
    """Close the idle connections of all parts, after the threads that follow the event log."""
    dispose_of_event_log()
    for storage in storages:
        storage._engine.dispose()  # noqa: SLF001 - Dagster has no option for it


def _require_open(dialect: db.Dialect, connection: Any, *_: object) -> None:
    """The pool replaces a connection for which this raises."""
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise db.exc.DisconnectionError from error
