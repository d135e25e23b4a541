"""``coldstart``, over a pipeline of fakes."""

from cli_stage import BRAND, KEY, Stage
from toy_world import ItemPut

from schedules_pipeline.maintenance.ports import Stage as ColdstartStage


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
