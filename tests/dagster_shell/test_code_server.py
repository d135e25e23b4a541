"""The code server of the pipeline: how it starts runs. The end-to-end tests start their runs by it."""

from importlib.util import find_spec
from multiprocessing import forkserver

import pytest
from dagster._grpc import server

from schedules_pipeline import code_server


def test_dagsters_command_serves_with_a_fork_server_of_the_definitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fork server starts with the code server, and every module that it imports first exists."""
    preloaded: list[str] = []
    monkeypatch.setattr(server.DagsterApiServer, "__init__", lambda _: None)
    monkeypatch.setattr(server, "DagsterApiServer", server.DagsterApiServer)
    monkeypatch.setattr(forkserver, "set_forkserver_preload", preloaded.extend)
    monkeypatch.setattr(forkserver, "ensure_running", lambda: preloaded.append("running"))
    served: list[server.DagsterApiServer] = []
    monkeypatch.setattr(code_server, "grpc_command", lambda: served.append(server.DagsterApiServer()))  # type: ignore[call-arg]
    monkeypatch.setattr("sys.argv", ["python"])

    code_server.main()

    assert served[0]._mp_ctx.get_start_method() == "forkserver"
    assert "schedules_pipeline.definitions" in preloaded
    assert preloaded.pop() == "running"
    assert all(find_spec(name) for name in preloaded)


def test_runs_are_watched_after_an_error_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's thread that finds dead runs does not end with a question that is not answered."""
    asked: list[object] = []

    def fail(looking: object) -> None:
        asked.append(looking)
        raise OSError("no answer")

    monkeypatch.setattr(server.DagsterApiServer, "_check_for_orphaned_runs", fail)
    looked = code_server.ForkingServer.__new__(code_server.ForkingServer)

    looked._check_for_orphaned_runs()

    assert asked == [looked]
