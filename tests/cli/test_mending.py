"""The commands that change something, over a pipeline of fakes."""

from datetime import timedelta

import pytest
from cli_stage import BRAND, EPISODE, KEY, RADIO, TOMORROW, Stage, schedule_put
from toy_world import InvalidItemPut, InvalidSchedulePut, ItemPut, ShrunkenSchedulePut, Slot

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.ports.coldstart import Stage as ColdstartStage
from schedules_pipeline.publishing.ports.work import Failure, Mark

_SHRUNKEN = ShrunkenSchedulePut(KEY, (Slot(schedule_put(KEY).slots[0].broadcast_pid, EPISODE),))


def _set_aside(stage: Stage, key: ScheduleKey, reason: str = "KeyError: 'title'") -> None:
    now = stage.clock()
    stage.store.work.mark([Mark(key, now, Cause("e", Origin.SCHEDULE, str(key), now))])
    claim = stage.store.work.claim(1, now, timedelta(minutes=1))
    assert claim is not None
    stage.store.work.postpone(claim, {key: Failure(reason, None)}, counts=True)


def _broadcasts(stage: Stage) -> int:
    return len(stage.run_for_json("show", KEY)["broadcasts"])


# rebuild


def test_rebuild_of_one_asks_nothing(published: Stage) -> None:
    """One schedule is rebuilt at once, and what is right already is not published again."""
    document = published.run_for_json("rebuild", KEY)

    assert document == {
        "counts": {"unchanged": 1},
        "schedules": [{"schedule": str(KEY), "outcome": "unchanged", "seq": 2}],
        "failed": [],
    }


def test_rebuild_reads_the_sources_anew(published: Stage) -> None:
    """A change that nobody announced is found, and told."""
    ItemPut(BRAND, "Quiet Viaduct").write(published.upstreams)

    result = published.run("rebuild", KEY)

    assert result.stdout == "1 published\nalder/2026-03-28 is at version 3\n"


@pytest.mark.parametrize(
    ("words", "rebuilt"),
    [
        (["--all"], [KEY, RADIO, TOMORROW]),
        (["--service", "alder"], [KEY, TOMORROW]),
        (["--service", "alder", "--service", "birch_radio"], [KEY, RADIO, TOMORROW]),
        (["--from", "2026-03-29"], [TOMORROW]),
        (["--to", "2026-03-28"], [KEY, RADIO]),
        (["--service", "alder", "--to", "2026-03-28"], [KEY]),
        ([str(TOMORROW), str(KEY), str(KEY)], [KEY, TOMORROW]),
    ],
)
def test_rebuild_of_a_choice(published: Stage, words: list[str], rebuilt: list[ScheduleKey]) -> None:
    """Schedules are chosen by service and by days, both ends included, or named; each is rebuilt once."""
    published.happen(schedule_put(RADIO))

    document = published.run_for_json("rebuild", *words, "--yes")

    assert sorted(row["schedule"] for row in document["schedules"]) == sorted(map(str, rebuilt))


def test_rebuild_of_more_than_one_asks(published: Stage) -> None:
    """Before more than one schedule the operator is asked, with their number; no ends it."""
    ItemPut(BRAND, "Quiet Viaduct").write(published.upstreams)

    declined = published.run("rebuild", "--all", answer="n\n")
    nobody = published.run("rebuild", "--all")
    agreed = published.run("rebuild", "--all", answer="y\n")

    assert (declined.exit_code, nobody.exit_code, agreed.exit_code) == (1, 1, 0)
    assert "Rebuild 2 schedules?" in declined.stderr
    assert declined.stderr.endswith("error: nothing was done\n")
    assert "say --yes where nobody is there to be asked" in nobody.stderr
    assert "2 published" in agreed.stdout


def test_rebuild_of_what_was_never_published(published: Stage) -> None:
    """A schedule that the source has and nobody announced is built."""
    schedule_put(RADIO).write(published.upstreams)

    result = published.run("rebuild", RADIO)

    assert result.stdout == "1 published\nbirch_radio/2026-03-28 is at version 1\n"


@pytest.mark.parametrize(
    ("words", "exit_code", "complaint"),
    [
        ([], 2, "name schedules as SID/DATE, or choose them"),
        ([str(KEY), "--all"], 2, "name schedules as SID/DATE, or choose them"),
        (["alder"], 2, "not a schedule key: 'alder' (expected sid/YYYY-MM-DD)"),
        (["--from", "yesterday"], 2, "not a date: 'yesterday' (expected YYYY-MM-DD)"),
        (["--service", "adler"], 1, "did you mean alder?"),
        (["adler/2026-03-28"], 1, "did you mean alder?"),
        ([str(KEY), "alder/2030-01-01"], 1, "nothing was published for that day"),
        (["--from", "2030-01-01"], 1, "there is no such schedule"),
    ],
)
def test_rebuild_rejects(published: Stage, words: list[str], exit_code: int, complaint: str) -> None:
    """A choice that cannot be meant is refused; one of nothing is not found."""
    result = published.run("rebuild", *words)

    assert result.exit_code == exit_code
    assert complaint in result.stderr


def test_rebuild_tells_what_could_not_be_fetched(published: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that cannot be had is told with its reason, and the command ends as for a silent service."""
    error = ServiceError("the bucket is away")
    monkeypatch.setattr(published.upstreams.schedule_source, "fetch", lambda keys: dict.fromkeys(keys, error))

    result = published.run("rebuild", KEY)
    document = published.run_for_json("rebuild", KEY, exit_code=3)

    assert result.exit_code == 3
    assert "they are tried again by any publisher" in result.stdout
    assert document["failed"] == [{"schedule": str(KEY), "reason": "the bucket is away"}]


# set-aside


def test_what_is_set_aside_is_listed(published: Stage) -> None:
    """Each schedule that was set aside is listed with the last reason."""
    _set_aside(published, KEY)

    document = published.run_for_json("set-aside", "list")
    words = published.run("set-aside", "list").stdout

    assert document == {"set_aside": [{"schedule": str(KEY), "reason": "KeyError: 'title'"}]}
    assert "alder/2026-03-28" in words


def test_nothing_is_set_aside(published: Stage) -> None:
    """An empty list is well."""
    result = published.run("set-aside", "list")

    assert (result.exit_code, result.stdout) == (0, "nothing is set aside\n")


def test_one_that_is_set_aside_is_shown(published: Stage) -> None:
    """Its reason is shown, and whether it was released."""
    _set_aside(published, KEY)

    before = published.run_for_json("set-aside", "show", KEY)
    published.run("set-aside", "release", KEY)
    after = published.run("set-aside", "show", KEY)

    assert before["is_released"] is False
    assert "it was released, and is about to be built" in after.stdout


def test_what_is_released_is_built_again(published: Stage) -> None:
    """A release marks the schedule anew, and a build that succeeds takes it off the list."""
    _set_aside(published, KEY)

    result = published.run("set-aside", "release", KEY)
    published.pipeline.publisher.publish_all()

    assert "released 1 schedule" in result.stdout
    assert published.store.work.quarantined() == {}


def test_all_are_released(published: Stage) -> None:
    """All that are set aside are marked, and nothing else."""
    _set_aside(published, KEY)
    _set_aside(published, TOMORROW)

    document = published.run_for_json("set-aside", "release", "--all")

    assert sorted(document["released"]) == [str(KEY), str(TOMORROW)]
    assert published.store.work.unfinished([KEY, TOMORROW]) == {KEY, TOMORROW}


@pytest.mark.parametrize(
    ("words", "exit_code", "complaint"),
    [
        (["release"], 2, "name schedules as SID/DATE, or say --all"),
        (["release", str(KEY), "--all"], 2, "name schedules as SID/DATE, or say --all"),
        (["release", str(TOMORROW)], 1, "not set aside: alder/2026-03-29"),
        (["show", str(TOMORROW)], 1, "not set aside: alder/2026-03-29"),
        (["show", "alder"], 2, "expected sid/YYYY-MM-DD"),
    ],
)
def test_set_aside_rejects(published: Stage, words: list[str], exit_code: int, complaint: str) -> None:
    """What is not set aside is not found, and none or both of keys and --all is refused."""
    _set_aside(published, KEY)

    result = published.run("set-aside", *words)

    assert result.exit_code == exit_code
    assert complaint in result.stderr


# refused


def test_what_is_rejected_is_listed(published: Stage) -> None:
    """Schedules, items and messages that were refused are listed, and which can be accepted."""
    published.happen(_SHRUNKEN, InvalidItemPut(EPISODE))
    published.upstreams.schedule_queue.post("{")
    published.ingest()

    document = published.run_for_json("refused", "list")
    words = published.run("refused", "list").stdout

    kinds = {row["kind"]: (row["subject"], row["can_be_accepted"]) for row in document["refused"]}
    assert kinds["schedule"] == (str(KEY), True)
    assert kinds["item"] == (EPISODE, False)
    assert kinds["message"][1] is False
    assert "1 broadcasts would replace 4" in words


def test_one_rejection_is_shown(published: Stage) -> None:
    """A refusal is shown with the beginning of what was refused, and with the command that accepts it."""
    published.happen(_SHRUNKEN)

    result = published.run("refused", "show", KEY)

    assert f"`schedules-pipeline refused accept {KEY}`" in result.stdout
    assert '{"sid":"alder"' in result.stdout


def test_a_shrunken_document_is_accepted(published: Stage) -> None:
    """What would be lost is shown, the operator agrees, and partners see the document; the refusal is over."""
    published.happen(_SHRUNKEN)

    result = published.run("refused", "accept", KEY, answer="y\n")

    assert result.exit_code == 0
    assert "1 broadcasts would replace 4; lost would be" in result.stdout
    assert result.stdout.count("Salt and Slate") == 3
    assert result.stdout.endswith("alder/2026-03-28: published, version 3\n")
    assert _broadcasts(published) == 1
    assert published.store.rejections.all() == {}


def test_nothing_is_accepted_where_the_operator_declines(published: Stage) -> None:
    """A no leaves the refusal, and what partners see."""
    published.happen(_SHRUNKEN)

    result = published.run("refused", "accept", KEY, answer="n\n")

    assert result.exit_code == 1
    assert _broadcasts(published) == 4
    assert str(KEY) in published.store.rejections.all()


def test_accepting_as_json(published: Stage) -> None:
    """A program gets what was lost and what became of it."""
    published.happen(_SHRUNKEN)

    document = published.run_for_json("refused", "accept", KEY, "--yes")

    assert (document["held_broadcasts"], document["new_broadcasts"], len(document["lost"])) == (4, 1, 3)
    assert (document["outcome"], document["seq"]) == ("published", 3)


def test_an_invalid_document_cannot_be_accepted(published: Stage) -> None:
    """What is not valid is never shown to partners, whoever agrees."""
    published.happen(InvalidSchedulePut(KEY))

    result = published.run("refused", "accept", KEY, "--yes")

    assert result.exit_code == 1
    assert "it is not valid, so its owner has to put another one" in result.stderr
    assert _broadcasts(published) == 4


def test_rejections_are_forgotten(published: Stage) -> None:
    """A forgotten refusal leaves the list, and nothing else changes."""
    published.happen(_SHRUNKEN)

    document = published.run_for_json("refused", "forget", KEY)

    assert document == {"forgotten": [str(KEY)]}
    assert published.run("refused", "list").stdout == "nothing is refused\n"
    assert _broadcasts(published) == 4


@pytest.mark.parametrize("words", [["show", "nothing"], ["forget", "nothing"]])
def test_rejected_finds_nothing(published: Stage, words: list[str]) -> None:
    """A subject that nothing was refused of is not found."""
    result = published.run("refused", *words)

    assert result.exit_code == 1
    assert "not refused: nothing; `schedules-pipeline refused list` says what is" in result.stderr


def test_accepting_what_is_not_rejected(published: Stage) -> None:
    """There is nothing to accept of a schedule that is well."""
    result = published.run("refused", "accept", KEY, "--yes")

    assert (result.exit_code, result.stderr) == (1, "error: alder/2026-03-28: no document of it is refused\n")


# dead-letters


def _kill(stage: Stage) -> None:
    stage.upstreams.schedule_dead_letters.post('{"sid": "alder", "date": "2026-03-28"}')
    stage.upstreams.catalogue_dead_letters.post("{")


def test_dead_letters_are_listed(published: Stage) -> None:
    """Each is listed with its queue and with what it says, also where it says nothing."""
    _kill(published)

    document = published.run_for_json("dead-letters", "list")
    words = published.run("dead-letters", "list", "--queue", "catalogue").stdout

    assert [(d["queue"], d["says"]) for d in document["dead_letters"]] == [
        ("schedule", "alder/2026-03-28 put"),
        ("catalogue", document["dead_letters"][1]["says"]),
    ]
    assert document["dead_letters"][1]["says"].startswith("invalid: ")
    assert "catalogue: 1 dead letter" in words
    assert "schedule: " not in words


def test_one_dead_letter_is_shown(published: Stage) -> None:
    """One is shown with its whole body, and is there afterwards."""
    _kill(published)

    result = published.run("dead-letters", "show", "dead schedule-1")
    again = published.run_for_json("dead-letters", "show", "dead schedule-1")

    assert '{"sid": "alder", "date": "2026-03-28"}' in result.stdout
    assert again["body"] == '{"sid": "alder", "date": "2026-03-28"}'


def test_dead_letters_are_replayed(published: Stage) -> None:
    """A replayed letter is in the queue that it came from, and no longer among the dead."""
    _kill(published)

    document = published.run_for_json("dead-letters", "replay", "--all")

    assert document == {
        "replayed": {"schedule": ["dead schedule-1"], "catalogue": ["dead catalogue-1"]},
        "missing": [],
        "has_more": False,
    }
    assert published.upstreams.schedule_queue.has_visible()
    assert published.upstreams.schedule_dead_letters.is_empty()


def test_dropping_dead_letters_asks(published: Stage) -> None:
    """Dropping is for good, so the operator is asked; no leaves them."""
    _kill(published)

    declined = published.run("dead-letters", "drop", "--all", answer="n\n")
    left = not published.upstreams.schedule_dead_letters.is_empty()
    agreed = published.run("dead-letters", "drop", "--all", answer="y\n")

    assert (declined.exit_code, left, agreed.exit_code) == (1, True, 0)
    assert "Drop all dead letters, about 2, for good?" in declined.stderr
    assert agreed.stdout == "dropped: 1 of the schedule queue, 1 of the catalogue queue\n"
    assert published.upstreams.schedule_dead_letters.is_empty()
    assert not published.upstreams.schedule_queue.has_visible()


@pytest.mark.parametrize(
    ("words", "exit_code", "complaint"),
    [
        (["replay"], 2, "name dead letters by their ids, or say --all"),
        (["drop", "x", "--all"], 2, "name dead letters by their ids, or say --all"),
        (["show", "x"], 1, "no dead letter x"),
        (["list", "--queue", "other"], 2, "'other' is not one of"),
    ],
)
def test_dead_letters_rejects(published: Stage, words: list[str], exit_code: int, complaint: str) -> None:
    """None or both of ids and --all is refused, and a letter that there is not is not found."""
    _kill(published)

    result = published.run("dead-letters", *words)

    assert result.exit_code == exit_code
    assert complaint in result.stderr


def test_ids_that_are_not_found_are_told(published: Stage) -> None:
    """Those that are there are replayed, and the others named; that ends as not found."""
    _kill(published)

    result = published.run("dead-letters", "replay", "dead schedule-1", "dead schedule-9")

    assert result.exit_code == 1
    assert "replayed: 1 of the schedule queue" in result.stdout
    assert "not found: dead schedule-9" in result.stdout


# coldstart


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
    assert "throw away what waits in both queues" in declined.stderr
    assert "take from partners what the source does not list any more" in declined.stderr
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


# reconcile, collect


def test_reconcile_mends_what_was_lost(published: Stage) -> None:
    """What the store lost is found and mended, told by its counts, and ends as wrong since it was."""
    published.store.schedules.kept[KEY].document = None

    document = published.run_for_json("reconcile", "--all", exit_code=1)

    assert (document["pass"], document["counts"]["differed"], document["counts"]["mended"]) == (
        "reconciliation",
        1,
        1,
    )
    assert _broadcasts(published) == 4


def test_reconcile_of_a_share(published: Stage) -> None:
    """The shares together are everything, and where all is well the command says so."""
    shares = [published.run_for_json("reconcile", "--share", f"{n}/3") for n in (1, 2, 3)]

    assert sum(share["counts"]["schedules"] for share in shares) == 2
    assert published.run_for_json("reconcile")["counts"]["schedules"] == 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--all", "--share", "1/2"], "contradict each other"),
        (["--share", "3/2"], "'3/2' is no share"),
        (["--share", "half"], "'half' is no share"),
    ],
)
def test_reconcile_rejects(published: Stage, words: list[str], complaint: str) -> None:
    """Both all and a share are refused, and what is no share."""
    result = published.run("reconcile", *words)

    assert result.exit_code == 2
    assert complaint in result.stderr


def test_collect_tells_what_it_collected(published: Stage) -> None:
    """A collection is done here and told by its counts."""
    document = published.run_for_json("collect")
    words = published.run("collect")

    assert document["pass"] == "collection"
    assert document["problem"] == ""
    assert words.stdout.startswith("collection in ")


def test_abandoning_what_has_purged_says_what_to_do(published: Stage) -> None:
    """Where messages were thrown away for the coldstart, the operator hears how to find what they told."""
    published.pipeline.coldstarter.request("one", "a try", purge=True)
    published.pipeline.store.coldstarts.confirm("one")

    result = published.run("coldstart", "abandon", "--yes")

    assert result.exit_code == 0
    assert "reconcile --all" in result.stdout
