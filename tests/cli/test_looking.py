"""The commands that look at schedules and their versions, over a pipeline of fakes."""

import orjson
import pytest
from cli_stage import BRAND, EPISODE, KEY, TOMORROW, Stage, schedule_put
from toy_world import BROADCASTS, ItemDeleted, ItemPut, ScheduleRemoved

from schedules_pipeline.domain.identifiers import ScheduleKey

_HOSTILE = "[red]Low\x1b[31m Tide\nand\u202emore[/]"
_MADE_SAFE = "[red]Low\\x1b[31m Tide\\nand\\u202emore[/]"


# show


@pytest.mark.parametrize("words", [("alder", "2026-03-28"), ("alder/2026-03-28",)])
def test_show_gives_the_schedule_in_local_time(published: Stage, words: tuple[str, ...]) -> None:
    """A schedule is shown with its version, and each broadcast with local time, titles and pids."""
    result = published.run("show", *words)

    assert result.exit_code == 0
    assert "alder/2026-03-28  version 2" in result.stdout
    line = next(line for line in result.stdout.splitlines() if BROADCASTS[0] in line)
    assert line.split() == [
        "06:00",
        "GMT",
        "06:30",
        "Salt",
        "and",
        "Slate",
        "Low",
        "Tide",
        BROADCASTS[0],
        EPISODE,
    ]


def test_show_names_the_zone_of_each_instant(stage: Stage) -> None:
    """On the day on which the clocks change the broadcasts are shown in the zone that they start in."""
    stage.happen(schedule_put(TOMORROW))

    result = stage.run("show", TOMORROW)

    assert "BST" in result.stdout or "GMT" in result.stdout


def test_show_as_json_is_the_document_byte_for_byte(published: Stage) -> None:
    """What a program gets is what partners get."""
    result = published.run("show", KEY, "--json")

    assert result.stdout_bytes == published.store.schedules.documents([KEY])[KEY] + b"\n"


def test_show_of_an_older_version(published: Stage) -> None:
    """An older version is shown as it was."""
    document = published.run_for_json("show", KEY, "--at", 1)

    assert (document["seq"], document["broadcasts"][0]["title"]) == (1, "Harbour Lights")


def test_show_of_a_version_that_there_is_not(published: Stage) -> None:
    """A version that was never published is not found, and the error says where the versions are listed."""
    result = published.run("show", KEY, "--at", 9)

    assert result.exit_code == 1
    assert "no document of version 9 is kept; `schedules-pipeline history alder/2026-03-28`" in result.stderr


def test_show_of_a_removed_schedule_says_so(published: Stage) -> None:
    """What partners no longer see is not shown, and the version that they saw last is named."""
    published.happen(ScheduleRemoved(KEY))

    result = published.run("show", KEY)

    assert result.exit_code == 1
    assert "was removed at 2026-03-28T12:00:08Z; version 2 was the last to be seen" in result.stderr


def test_show_of_a_version_that_is_a_removal(published: Stage) -> None:
    """A removal has no document."""
    published.happen(ScheduleRemoved(KEY))

    result = published.run("show", KEY, "--at", 3)

    assert result.exit_code == 1
    assert "version 3 is a removal" in result.stderr


def test_show_escapes_hostile_titles(stage: Stage) -> None:
    """Markup, control characters, line ends and marks that turn the writing round are shown and have no effect."""
    stage.happen(ItemPut(EPISODE, _HOSTILE))
    stage.happen(schedule_put(KEY))

    result = stage.run("show", KEY)

    assert _MADE_SAFE in result.stdout
    assert not {"\x1b", "\u202e"} & set(result.stdout)


def test_documents_are_ascii_and_keep_what_was_sent(stage: Stage) -> None:
    """A program gets a hostile title as it is, in escapes that no terminal obeys."""
    stage.happen(ItemPut(EPISODE, _HOSTILE))
    stage.happen(schedule_put(KEY))

    result = stage.run("deps", KEY, "--json")

    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout
    assert stage.run_for_json("deps", KEY)["items"][0]["title"] == _HOSTILE


def test_show_has_no_colour_where_there_is_no_terminal(published: Stage) -> None:
    """What goes to a file or a pipe holds no escapes."""
    result = published.run("show", KEY)

    assert "\x1b" not in result.output


# Naming a schedule


@pytest.mark.parametrize("command", ["show", "deps", "history", "diff", "why", "export"])
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "name a schedule: SID DATE, or SID/DATE"),
        (["alder", "2026-3-28"], "not a date: '2026-3-28' (expected YYYY-MM-DD)"),
        (["Alder", "2026-03-28"], "not a service id: 'Alder' (pattern [0-9a-z_]+)"),
    ],
)
def test_a_malformed_name_is_a_usage_error(
    published: Stage, command: str, words: list[str], complaint: str
) -> None:
    """Every command that takes a schedule says in one line which form it expects, and where to read on."""
    output = ["-o", "never-written"] if command == "export" else []

    result = published.run(command, *words, *output)

    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert complaint in result.stderr
    assert result.stderr.endswith(f"(see `schedules-pipeline {command} --help`)\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["show", "deps", "history", "diff", "why"])
def test_a_mistyped_service_is_answered_with_the_closest(published: Stage, command: str) -> None:
    """An unknown service is not found, and those that resemble it are suggested."""
    result = published.run(command, "adler", "2026-03-28")

    assert result.exit_code == 1
    assert result.stderr == (
        "error: no schedule adler/2026-03-28: there is no service adler; did you mean alder?\n"
    )


def test_an_unknown_day_is_answered_with_those_that_there_are(published: Stage) -> None:
    """Of a known service the first and the last day are named."""
    result = published.run("show", "alder", "2030-01-01")

    assert result.exit_code == 1
    assert "of alder there are 2026-03-28 to 2026-03-29" in result.stderr


def test_nothing_is_suggested_where_nothing_was_published(stage: Stage) -> None:
    """In an empty keyspace the error says just that."""
    result = stage.run("show", KEY)

    assert result.stderr == "error: no schedule alder/2026-03-28: nothing has been published yet\n"


def test_one_schedule_at_a_time(published: Stage) -> None:
    """What stands behind the schedule is refused rather than passed over."""
    result = published.run("show", KEY, TOMORROW)

    assert result.exit_code == 2
    assert "'alder/2026-03-29' is too much" in result.stderr


# deps


def test_deps_of_a_schedule(published: Stage) -> None:
    """A schedule depends on its episodes, by broadcasts, and on their ancestors; each is known or missing."""
    document = published.run_for_json("deps", KEY)

    assert document == {
        "schedule": "alder/2026-03-28",
        "items": [
            {
                "pid": EPISODE,
                "known": True,
                "kind": "episode",
                "title": "Low Tide",
                "parent_pid": BRAND,
                "broadcast_pids": list(BROADCASTS[:4]),
            },
            {
                "pid": BRAND,
                "known": True,
                "kind": "brand",
                "title": "Salt and Slate",
                "parent_pid": None,
                "broadcast_pids": [],
            },
        ],
    }


def test_deps_tells_what_is_missing(stage: Stage) -> None:
    """An episode that the catalogue lacks is a dependency too, and is said to be missing."""
    stage.happen(schedule_put(KEY))

    document = stage.run_for_json("deps", KEY)
    told = stage.run("deps", KEY).stdout

    assert [(item["pid"], item["known"]) for item in document["items"]] == [(EPISODE, False)]
    assert "of which 1 missing" in told
    assert "MISSING" in told


def test_deps_of_a_pid(published: Stage) -> None:
    """What depends on a pid are schedules, with the broadcasts that show it where it is an episode."""
    episode = published.run_for_json("deps", EPISODE)
    brand = published.run_for_json("deps", BRAND)

    assert {"schedule": str(KEY), "broadcast_pid": BROADCASTS[0]} in episode["dependants"]
    assert len(episode["dependants"]) == 8
    assert brand["title"] == "Salt and Slate"
    assert brand["dependants"] == [
        {"schedule": str(KEY), "broadcast_pid": None},
        {"schedule": str(TOMORROW), "broadcast_pid": None},
    ]


def test_deps_of_a_pid_in_words(published: Stage) -> None:
    """The item is named, and how many schedules depend on it."""
    result = published.run("deps", BRAND)

    assert f"{BRAND}  brand 'Salt and Slate'\n2 schedules depend on it\n" in result.stdout


def test_deps_of_a_pid_that_nobody_needs(published: Stage) -> None:
    """A pid without dependants and without a copy is not found."""
    result = published.run("deps", "zzzzzzzz")

    assert result.exit_code == 1
    assert "nothing depends on it" in result.stderr


def test_deps_of_neither(published: Stage) -> None:
    """A word that is neither a pid nor a schedule is refused with both forms."""
    result = published.run("deps", "aeiou")

    assert result.exit_code == 2
    assert "neither a pid (digits and consonants, 8 to 32 of them) nor a schedule (SID DATE)" in result.stderr


# history


def test_history_lists_versions_newest_first(published: Stage) -> None:
    """Every version has its number, what caused it, and how long that took."""
    document = published.run_for_json("history", KEY)

    assert [(v["seq"], v["seconds_from_notification"]) for v in document["versions"]] == [(2, 2.0), (1, 2.0)]
    [cause] = document["versions"][0]["causes"]
    assert (cause["origin"], cause["subject"], cause["changed"]) == ("catalogue", BRAND, ["title"])


def test_history_in_words(published: Stage) -> None:
    """A removal is told as one, and a cause with the fields that changed."""
    published.happen(ScheduleRemoved(KEY))

    result = published.run("history", KEY)

    rows = [line.split() for line in result.stdout.splitlines() if "Mar" in line]
    assert [row[0] for row in rows] == ["3", "2", "1"]
    assert "removed" in rows[0]
    assert "catalogue b0000001 (title)" in result.stdout


# diff


def test_diff_of_the_latest_with_the_one_before(published: Stage) -> None:
    """By default the latest version is compared with the one before it, field by field."""
    document = published.run_for_json("diff", KEY)

    assert (document["before"], document["after"], len(document["differences"])) == (1, 2, 8)
    assert document["differences"][0] == {
        "broadcast_pid": BROADCASTS[0],
        "field": "brand.title",
        "before": "Harbour Lights",
        "after": "Salt and Slate",
    }


def test_diff_of_the_first_version(published: Stage) -> None:
    """Before the first version there was nothing, so every broadcast is new."""
    document = published.run_for_json("diff", KEY, 1)

    assert (document["before"], document["after"]) == (0, 1)
    assert {d["before"] for d in document["differences"]} == {"(absent)"}


def test_diff_of_two_versions_in_either_order(published: Stage) -> None:
    """Two numbers are compared in the order in which they are given."""
    forth = published.run_for_json("diff", KEY, 1, 2)["differences"][0]
    back = published.run_for_json("diff", KEY, 2, 1)["differences"][0]

    assert (forth["before"], forth["after"]) == (back["after"], back["before"])


def test_diff_over_a_removal(published: Stage) -> None:
    """A removal shows nothing, so against it every broadcast is gone."""
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
    """What is no version is refused, and what there is not is not found."""
    result = published.run("diff", KEY, *words)

    assert result.exit_code == exit_code
    assert complaint.lower() in result.stderr.lower()


# why


def test_why_names_the_notification_and_the_fields(published: Stage) -> None:
    """A version's cause is named with event, queue, time, subject and changed fields, with all that it touched."""
    document = published.run_for_json("why", KEY)

    [cause] = document["causes"]
    assert cause == {
        "event_id": "catalogue-3",
        "origin": "catalogue",
        "subject": BRAND,
        "notified_at": "2026-03-28T12:00:04+00:00",
        "changed": ["title"],
        "queue": "catalogue-events",
    }
    assert [(t["schedule"], t["seq"]) for t in document["touched"]] == [(str(TOMORROW), 2)]
    assert len(document["comparison"]["differences"]) == 8
    assert document["search_stopped_at"] is None


def test_why_of_an_older_version(published: Stage) -> None:
    """An older version is explained by its own cause."""
    result = published.run("why", KEY, 1)

    assert "schedule alder/2026-03-28" in result.stdout
    assert "(its document)" in result.stdout
    assert "the same event touched nothing else" in result.stdout


def test_why_of_what_an_operator_rebuilt(published: Stage) -> None:
    """A version that an operator caused names the operator's call, and no queue."""
    published.upstreams.catalogue_source.documents[BRAND] = orjson.dumps(
        {"pid": BRAND, "type": "brand", "title": "Quiet Viaduct"}
    )
    published.run("rebuild", KEY)

    document = published.run_for_json("why", KEY)

    assert (document["causes"][0]["origin"], document["causes"][0]["queue"]) == ("operator", None)
    assert document["causes"][0]["event_id"].startswith("operator")


def test_why_where_a_document_is_no_longer_kept(published: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The causes are told all the same, and that the differences are not known."""
    monkeypatch.setattr(published.store.versions, "document", lambda key, seq: None)

    result = published.run("why", KEY)

    assert result.exit_code == 0
    assert "catalogue b0000001" in result.stdout
    assert "a document is no longer kept" in result.stdout


def test_deleting_an_item_is_no_version(published: Stage) -> None:
    """A catalogue delete leads to no version, so what is explained is still the one before."""
    published.happen(ItemDeleted(BRAND))

    document = published.run_for_json("why", KEY)

    assert document["seq"] == 2


def test_a_schedule_is_named_by_its_key_in_every_document(published: Stage) -> None:
    """Programs find the schedule under one name, whatever the command."""
    documents = [published.run_for_json(command, KEY) for command in ("deps", "history", "diff", "why")]

    assert {ScheduleKey.parse(document["schedule"]) for document in documents} == {KEY}
