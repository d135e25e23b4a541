"""``coldstart``, over a pipeline of fakes."""

from datetime import UTC, datetime, timedelta

import pytest
from cli_stage import BRAND, KEY, Stage
from toy_world import ItemPut

from schedules_pipeline.health.ports import DagsterSnapshot, FailedRun
from schedules_pipeline.maintenance.ports import Stage as ColdstartStage
from schedules_pipeline.publishing.publish import Publisher

_NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


def _broadcasts(stage: Stage) -> int:
    return len(stage.run_for_json("show", KEY)["broadcasts"])


def test_a_coldstart_is_requested(published: Stage) -> None:
    """The command only requests it; a second request reports the first one."""
    document = published.run_for_json("coldstart", "--reason", "Redis was restored")
    again = published.run("coldstart")

    assert (document["stage"], document["reason"]) == ("requested", "Redis was restored")
    assert "one is open already: Redis was restored" in again.stderr
    assert published.store.coldstarts.latest() is not None


def test_a_coldstart_runs_here(published: Stage) -> None:
    """With --here it runs to its end, and finds changes that were never announced."""
    ItemPut(BRAND, "Quiet Viaduct").write(published.upstreams)

    document = published.run_for_json("coldstart", "--here")

    assert (document["stage"], document["total"], document["published"]) == ("finished", 2, 2)


def test_a_coldstart_is_waited_for(published: Stage) -> None:
    """Waiting ends when another process has finished it."""

    def somebody_works() -> None:
        latest = published.store.coldstarts.latest()
        assert latest is not None
        published.pipeline.coldstarter.work_at(latest.id, "a run", 0, lambda _: None)

    published.session.when_asleep = somebody_works

    result = published.run("coldstart", "--wait")

    assert result.exit_code == 0
    assert "finished: asked for on the command line; 100% (2 of 2)" in result.stdout


def test_waiting_prints_a_line_each_half_minute(published: Stage) -> None:
    """A log without a terminal shows that the command is alive, and what it waits for."""

    def somebody_begins() -> None:
        latest = published.store.coldstarts.latest()
        assert latest is not None
        if published.clock() - latest.request.requested_at >= timedelta(seconds=100):
            published.pipeline.coldstarter.work_at(latest.id, "a run", 0, lambda _: None)

    published.session.when_asleep = somebody_begins

    result = published.run("coldstart", "--wait", "--reason", "Redis was restored")

    first, second, third = result.stderr.splitlines()
    assert result.exit_code == 0
    assert first == "requested: Redis was restored"
    assert second.startswith("requested: Redis was restored; no worker has begun for 1 min 0 s")
    assert third.startswith("requested: Redis was restored; no worker has begun for 1 min 30 s")


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        (DagsterSnapshot(_NOON, sensors_off=("coldstart_control",)), "`coldstart_control` is switched off"),
        (
            DagsterSnapshot(_NOON, (FailedRun("coldstart", "4f1c", _NOON + timedelta(minutes=1)),)),
            "run 4f1c of the job `coldstart` failed at 28 Mar 2026 12:01:",
        ),
        (DagsterSnapshot(_NOON), "Dagster was last seen 5 min"),
    ],
)
def test_waiting_ends_when_no_worker_comes(published: Stage, snapshot: DagsterSnapshot, reason: str) -> None:
    """After five minutes, with what is known of Dagster, and with the way to go on. The coldstart stays open."""
    published.store.dagster.record(snapshot)

    result = published.run("coldstart", "--wait")

    error = result.stderr.splitlines()[-1]
    latest = published.store.coldstarts.latest()
    assert result.exit_code == 1
    assert error.startswith("error: no worker has begun for 5 min 1 s: ")
    assert reason in error
    assert "`schedules-pipeline coldstart --here`" in error
    assert latest is not None
    assert latest.stage is ColdstartStage.REQUESTED


def test_waiting_again_after_a_repair_is_not_ended_at_once(published: Stage) -> None:
    """The five minutes begin with the wait."""
    published.run("coldstart")
    published.clock.advance(timedelta(hours=1))
    latest = published.store.coldstarts.latest()
    assert latest is not None

    def somebody_works() -> None:
        published.pipeline.coldstarter.work_at(latest.id, "a run", 0, lambda _: None)

    published.session.when_asleep = somebody_works

    result = published.run("coldstart", "status", "--wait")

    assert result.exit_code == 0


def test_waiting_ends_when_an_operator_abandons_it(published: Stage) -> None:
    """With 1, and with the reason."""

    def somebody_abandons() -> None:
        published.pipeline.coldstarter.abandon("wrong keyspace")

    published.session.when_asleep = somebody_abandons

    result = published.run("coldstart", "--wait")

    assert result.exit_code == 1
    assert result.stdout.startswith("abandoned: ")
    assert "wrong keyspace" in result.stdout


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_says_that_the_coldstart_goes_on(published: Stage) -> None:
    """Waiting has ended, and nothing else."""
    published.session.when_asleep = _interrupt

    result = published.run("coldstart", "--wait")

    assert result.exit_code == 1
    assert result.stderr == (
        "error: no longer waiting; the coldstart goes on: `schedules-pipeline coldstart status --wait`\n"
    )


def test_ctrl_c_during_the_work_says_how_it_goes_on(
    published: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is open, and a second call finishes it."""
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "rebuild_from_sources", _interrupt)
        interrupted = published.run("coldstart", "--here")

    again = published.run("coldstart", "--here")

    assert interrupted.exit_code == 1
    assert "the coldstart is still open: Dagster continues it" in interrupted.stderr
    assert again.exit_code == 0
    assert "100% (2 of 2)" in again.stdout


def test_a_purge_is_asked_about(published: Stage) -> None:
    """--purge needs the operator's agreement. --even-if-fewer only warns that it has no effect."""
    declined = published.run("coldstart", "--purge", "--even-if-fewer", answer="n\n")

    assert declined.exit_code == 1
    assert "delete the waiting messages of both queues" in declined.stderr
    assert "--even-if-fewer goes in version 0.3" in declined.stderr
    assert published.store.coldstarts.latest() is None


def test_the_status_of_a_coldstart(published: Stage) -> None:
    """The status has percent, counts and rate."""
    published.run("coldstart", "--here")

    result = published.run("coldstart", "status")
    document = published.run_for_json("coldstart", "status")

    assert "100% (2 of 2), 0 published, 0 failed" in result.stdout
    assert (document["done"], document["left"], document["seconds_left"]) == (2, 0, None)


def test_options_before_a_subcommand_are_rejected(published: Stage) -> None:
    """An option of the request before a subcommand is a usage error."""
    result = published.run("coldstart", "--purge", "status")

    assert result.exit_code == 2
    assert "options go behind 'status', not before it" in result.stderr


def test_without_a_coldstart_there_is_no_status(stage: Stage) -> None:
    """The command ends with 1."""
    result = stage.run("coldstart", "status")

    assert (result.exit_code, result.stderr) == (1, "error: there was no coldstart in this keyspace\n")


def test_a_coldstart_is_abandoned(published: Stage) -> None:
    """The open one ends, and a second abandon finds none."""
    published.run("coldstart")

    result = published.run("coldstart", "abandon", "--yes")
    again = published.run("coldstart", "abandon", "--yes")

    latest = published.store.coldstarts.latest()
    assert result.exit_code == 0
    assert latest is not None
    assert latest.stage is ColdstartStage.ABANDONED
    assert (again.exit_code, again.stderr) == (1, "error: no coldstart is open\n")


def test_abandoning_after_a_purge_recommends_a_reconcile(published: Stage) -> None:
    """The purge deleted messages, and a reconcile finds their changes."""
    published.pipeline.coldstarter.request("one", "a try", purge=True)
    published.pipeline.store.coldstarts.confirm("one")

    result = published.run("coldstart", "abandon", "--yes")

    assert result.exit_code == 0
    assert "reconcile --all" in result.stdout
