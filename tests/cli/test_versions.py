"""``history``, ``diff`` and ``why``, over a pipeline of fakes."""

from hashlib import sha256

import orjson
import pytest
from cli_stage import BRAND, KEY, TOMORROW, Stage, schedule_put
from toy_world import BROADCASTS, ItemDeleted, ScheduleRemoved

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.settings import Settings


def test_history_lists_versions_newest_first(published: Stage) -> None:
    """Every version has its number, its causes and its delay."""
    document = published.run_for_json("history", KEY)

    assert [(v["seq"], v["seconds_from_notification"]) for v in document["versions"]] == [(2, 2.0), (1, 2.0)]
    [cause] = document["versions"][0]["causes"]
    assert (cause["origin"], cause["subject"], cause["changed"]) == ("catalogue", BRAND, ["title"])


def test_history_in_words(published: Stage) -> None:
    """Removals are marked, and causes have their changed fields."""
    published.happen(ScheduleRemoved(KEY))

    result = published.run("history", KEY)

    rows = [line.split() for line in result.stdout.splitlines() if "Mar" in line]
    assert [row[0] for row in rows] == ["3", "2", "1"]
    assert "removed" in rows[0]
    assert "catalogue b0000001 (title)" in result.stdout


def test_diff_of_the_latest_with_the_one_before(published: Stage) -> None:
    """Without a version the two latest are compared, field by field."""
    document = published.run_for_json("diff", KEY)

    assert (document["before"], document["after"], len(document["differences"])) == (1, 2, 8)
    assert document["differences"][0] == {
        "broadcast_pid": BROADCASTS[0],
        "field": "brand.title",
        "before": "Harbour Lights",
        "after": "Salt and Slate",
    }


def test_diff_of_the_first_version(published: Stage) -> None:
    """Before the first version the schedule is empty, so every broadcast is new."""
    document = published.run_for_json("diff", KEY, 1)

    assert (document["before"], document["after"]) == (0, 1)
    assert {d["before"] for d in document["differences"]} == {"(absent)"}


def test_diff_of_two_versions_in_either_order(published: Stage) -> None:
    """The first is compared with the second."""
    forth = published.run_for_json("diff", KEY, 1, 2)["differences"][0]
    back = published.run_for_json("diff", KEY, 2, 1)["differences"][0]

    assert (forth["before"], forth["after"]) == (back["after"], back["before"])


def test_diff_over_a_removal(published: Stage) -> None:
    """A removal is empty, so every broadcast is gone."""
    published.happen(ScheduleRemoved(KEY))

    result = published.run("diff", KEY)

    assert result.exit_code == 0
    assert "from version 2 to version 3: 4 differences" in result.stdout


@pytest.mark.parametrize(
    ("words", "exit_code", "complaint"),
    [
        (["7"], 1, "has no version 7: listed are 1 to 2"),
        (["1", "7"], 1, "has no version 7"),
        (["one"], 2, "'one' is not the number of a version"),
        (["-1"], 2, "No such option"),
        (["1", "2", "3"], 2, "at most 2 numbers of versions"),
    ],
)
def test_diff_rejects(published: Stage, words: list[str], exit_code: int, complaint: str) -> None:
    """An invalid number is a usage error; an unknown version is not found."""
    result = published.run("diff", KEY, *words)

    assert result.exit_code == exit_code
    assert complaint.lower() in result.stderr.lower()


def test_why_names_the_notification_and_the_fields(published: Stage) -> None:
    """The cause has event, queue, time, subject and changed fields; other touched versions are listed."""
    document = published.run_for_json("why", KEY)

    [cause] = document["causes"]
    assert cause == {
        "event_id": "catalogue-3",
        "origin": "catalogue",
        "subject": BRAND,
        "notified_at": "2026-03-28T12:00:04+00:00",
        "changed": ["title"],
        "queue": "catalogue-events",
        "trace_id": sha256(b"catalogue-3").hexdigest()[:32],
    }
    assert [(t["schedule"], t["seq"]) for t in document["touched"]] == [(str(TOMORROW), 2)]
    assert len(document["comparison"]["differences"]) == 8
    assert document["search_stopped_at"] is None


def test_why_names_what_the_source_document_had_unusable(published: Stage) -> None:
    """Of the latest version; the source of an earlier one is no longer known."""
    published.put_unusable(KEY)

    latest, first = published.run_for_json("why", KEY), published.run_for_json("why", KEY, 1)
    shown = published.run("why", KEY).stdout

    [unusable] = latest["quarantined"]
    assert unusable["reason"].startswith("broadcast 1: end: ")
    assert latest["mended"] == ["broadcast 2: is_signed is left out: 'yes'"]
    assert "quarantined: broadcast 1: end: " in shown
    assert "mended: broadcast 2: is_signed" in shown
    assert (first["quarantined"], first["mended"]) == ([], [])


def test_why_of_an_older_version(published: Stage) -> None:
    """The older version's own cause is shown."""
    result = published.run("why", KEY, 1)

    assert "schedule alder/2026-03-28" in result.stdout
    assert "(its document)" in result.stdout
    assert "the same event touched nothing else" in result.stdout


def test_why_of_an_operators_rebuild(published: Stage) -> None:
    """The cause names the operator, and no queue."""
    published.upstreams.catalogue_source.documents[BRAND] = orjson.dumps(
        {"pid": BRAND, "type": "brand", "title": "Quiet Viaduct"}
    )
    published.run("rebuild", KEY)

    document = published.run_for_json("why", KEY)

    assert (document["causes"][0]["origin"], document["causes"][0]["queue"]) == ("operator", None)
    assert document["causes"][0]["event_id"].startswith("operator")


@pytest.mark.parametrize(
    ("origin", "sender"),
    [
        (Origin.CATALOGUE, "catalogue-events"),
        (Origin.OPERATOR, "an operator"),
        (Origin.COLDSTART, "the pipeline"),
    ],
)
def test_why_names_the_sender(stage: Stage, origin: Origin, sender: str) -> None:
    """A queue, an operator, or the pipeline if neither asked for the version."""
    schedule_put(KEY).write(stage.upstreams)
    stage.store.schedules.count_source_change([KEY])
    now = stage.clock()
    stage.store.work.mark([Mark(KEY, now, Cause("e", origin, "x", now))])
    stage.pipeline.publisher.publish_all()

    assert sender in stage.run("why", KEY).stdout


def test_why_without_the_older_document(published: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The causes are shown, and the differences are reported as unknown."""
    monkeypatch.setattr(published.store.versions, "document", lambda key, seq: None)

    result = published.run("why", KEY)

    assert result.exit_code == 0
    assert "catalogue b0000001" in result.stdout
    assert "a document has expired" in result.stdout


def test_deleting_an_item_makes_no_version(published: Stage) -> None:
    """A catalogue delete is not propagated."""
    published.happen(ItemDeleted(BRAND))

    document = published.run_for_json("why", KEY)

    assert document["seq"] == 2


def test_every_document_names_the_schedule(published: Stage) -> None:
    """The member has the same name in all commands."""
    documents = [published.run_for_json(command, KEY) for command in ("deps", "history", "diff", "why")]

    assert {ScheduleKey.parse(document["schedule"]) for document in documents} == {KEY}


def test_why_prints_the_trace_where_traces_are_on(published: Stage) -> None:
    """As the collector shows it. In JSON it is there always, because other processes may be those that trace."""
    [cause] = published.run_for_json("why", KEY)["causes"]
    assert "trace of" not in published.run("why", KEY).stdout

    published.session.__dict__["settings"] = Settings(traces=True)

    assert f"trace of {cause['event_id']}: {cause['trace_id']}" in published.run("why", KEY).stdout
