"""Connections to Dagster's database that stay open.

Dagster opens a connection for each statement, except in its webserver.
"""

from functools import partial
from typing import Any

import dagster as dg
import sqlalchemy as db

_RECYCLED_AFTER_SECONDS = 300
_MOST_CONNECTIONS = 20
_NO_TIMEOUT = 0


def keep_connections(instance: dg.DagsterInstance) -> None:
    """Keep up to three connections of an instance open, instead of opening one for each statement.

    Each is tried before it is used: one that a restart of the database has closed is replaced, so no statement fails
    by it.
    """
    instance.optimize_for_webserver(_NO_TIMEOUT, _RECYCLED_AFTER_SECONDS, _MOST_CONNECTIONS)
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        if isinstance(engine := getattr(storage, "_engine", None), db.Engine):
            db.event.listen(engine, "checkout", partial(_require_open, engine))


def _require_open(engine: db.Engine, connection: Any, *_: object) -> None:
    """The pool replaces a connection for which this raises."""
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise db.exc.DisconnectionError from error
