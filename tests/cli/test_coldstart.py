"""``coldstart``, over a pipeline of fakes."""

from cli_stage import BRAND, KEY, Stage
from toy_world import ItemPut

from schedules_pipeline.maintenance.ports.coldstart import Stage as ColdstartStage


def _broadcasts(stage: Stage) -> int:
    return len(stage.run_for_json("show", KEY)["broadcasts"])


def test_a_coldstart_is_asked_for(published: Stage) -> None:
    """Without more it is only asked for; a second request is answered with the first."""
    document = published.run_for_json("coldstart", "--reason", "Redis was restored")
    again = published.run("coldstart")

    assert (document["stage"], document["reason"]) == ("requested", "Redis was restored")
    assert "one is open already: Redis was restored" in again.stderr
    assert published.store.coldstarts.latest() is not None


def test_a_coldstart_is_done_here(published: Stage) -> None:
    """Here it is done to its end, and what was not announced is found."""
    ItemPut(BRAND, "Quiet Viaduct").write(published.upstreams)

    document = published.run_for_json("coldstart", "--here")

    assert (document["stage"], document["total"], document["published"]) == ("finished", 2, 2)


def test_a_coldstart_is_waited_for(published: Stage) -> None:
    """Waiting ends when somebody else has done it."""

    def somebody_works() -> None:
        latest = published.store.coldstarts.latest()
        assert latest is not None
        published.pipeline.coldstarter.work_at(latest.id, "a run", 0, lambda _: None)

    published.session.when_asleep = somebody_works

    result = published.run("coldstart", "--wait")

    assert result.exit_code == 0
    assert "finished: asked for on the command line; 100% (2 of 2)" in result.stdout


def test_the_dangers_of_a_coldstart_are_asked_about(published: Stage) -> None:
    """Purging queues, and taking from partners, want a yes."""
    declined = published.run("coldstart", "--purge", "--even-if-fewer", answer="n\n")

    assert declined.exit_code == 1
    assert "delete the waiting messages of both queues" in declined.stderr
    assert "remove schedules that the source no longer lists" in declined.stderr
    assert published.store.coldstarts.latest() is None


def test_a_coldstart_that_would_take_too_much_is_rejected(published: Stage) -> None:
    """Where the source lists far less than partners have it ends as wrong, and nothing is taken."""
    published.upstreams.schedule_source.objects.clear()

    result = published.run("coldstart", "--here")

    assert result.exit_code == 1
    assert "refused: " in result.stdout
    assert "the source lists only 0 of the 2 schedules that partners have" in result.stdout
    assert _broadcasts(published) == 4


def test_the_status_of_a_coldstart(published: Stage) -> None:
    """How far it is: percent, counts and rate."""
    published.run("coldstart", "--here")

    result = published.run("coldstart", "status")
    document = published.run_for_json("coldstart", "status")

    assert "100% (2 of 2), 0 published, 0 failed" in result.stdout
    assert (document["done"], document["left"], document["seconds_left"]) == (2, 0, None)


def test_options_before_a_command_of_coldstarts_are_rejected(published: Stage) -> None:
    """An option of the request is not silently passed over where something else is asked for."""
    result = published.run("coldstart", "--purge", "status")

    assert result.exit_code == 2
    assert "options go behind 'status', not before it" in result.stderr


def test_no_coldstart_has_a_status(stage: Stage) -> None:
    """Where there was none, there is nothing to tell."""
    result = stage.run("coldstart", "status")

    assert (result.exit_code, result.stderr) == (1, "error: there was no coldstart in this keyspace\n")


def test_a_coldstart_is_abandoned(published: Stage) -> None:
    """An open one is ended where it is; then none is open."""
    published.run("coldstart")

    result = published.run("coldstart", "abandon", "--yes")
    again = published.run("coldstart", "abandon", "--yes")

    latest = published.store.coldstarts.latest()
    assert result.exit_code == 0
    assert latest is not None
    assert latest.stage is ColdstartStage.ABANDONED
    assert (again.exit_code, again.stderr) == (1, "error: no coldstart is open\n")


def test_abandoning_what_has_purged_says_what_to_do(published: Stage) -> None:
    """Where messages were thrown away for the coldstart, the operator hears how to find what they told."""
    published.pipeline.coldstarter.request("one", "a try", purge=True)
    published.pipeline.store.coldstarts.confirm("one")

    result = published.run("coldstart", "abandon", "--yes")

    assert result.exit_code == 0
    assert "reconcile --all" in result.stdout
