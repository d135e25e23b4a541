"""``show``, and naming a schedule in every command, over a pipeline of fakes."""

import pytest
from cli_stage import EPISODE, KEY, TOMORROW, Stage, schedule_put
from toy_world import BROADCASTS, ItemPut, ScheduleRemoved

_HOSTILE = "[red]Low\x1b[31m Tide\nand\u202emore[/]"


_MADE_SAFE = "[red]Low\\x1b[31m Tide\\nand\\u202emore[/]"


@pytest.mark.parametrize("words", [("alder", "2026-03-28"), ("alder/2026-03-28",)])
def test_show_gives_the_schedule_in_local_time(published: Stage, words: tuple[str, ...]) -> None:
    """The output has the version, and for each broadcast local times, titles and pids."""
    result = published.run("show", *words)

    assert result.exit_code == 0
    assert "alder/2026-03-28  version 2" in result.stdout
    line = next(line for line in result.stdout.splitlines() if BROADCASTS[0] in line)
    assert line.split() == [
        "18:00",
        "GMT",
        "18:30",
        "Salt",
        "and",
        "Slate",
        "Low",
        "Tide",
        BROADCASTS[0],
        EPISODE,
    ]


def test_show_names_the_zone_of_each_instant(stage: Stage) -> None:
    """On the day of a clock change each time has its own zone name."""
    stage.happen(schedule_put(TOMORROW))

    result = stage.run("show", TOMORROW)

    assert "BST" in result.stdout or "GMT" in result.stdout


def test_show_as_json_is_the_document_byte_for_byte(published: Stage) -> None:
    """Programs get the document that partners get."""
    result = published.run("show", KEY, "--json")

    assert result.stdout_bytes == published.store.schedules.documents([KEY])[KEY] + b"\n"


def test_show_of_an_older_version(published: Stage) -> None:
    """The document of that version is shown."""
    document = published.run_for_json("show", KEY, "--at", 1)

    assert (document["seq"], document["broadcasts"][0]["title"]) == (1, "Harbour Lights")


def test_show_of_an_unknown_version(published: Stage) -> None:
    """The error names the command that lists the versions."""
    result = published.run("show", KEY, "--at", 9)

    assert result.exit_code == 1
    assert "no document of version 9 is kept; `schedules-pipeline history alder/2026-03-28`" in result.stderr


def test_show_of_a_removed_schedule_says_so(published: Stage) -> None:
    """The error names the last version with a document."""
    published.happen(ScheduleRemoved(KEY))

    result = published.run("show", KEY)

    assert result.exit_code == 1
    assert "was removed at 2026-03-28T12:00:08Z; the last version with a document was 2" in result.stderr


def test_show_of_a_version_that_is_a_removal(published: Stage) -> None:
    """A removal has no document."""
    published.happen(ScheduleRemoved(KEY))

    result = published.run("show", KEY, "--at", 3)

    assert result.exit_code == 1
    assert "version 3 is a removal" in result.stderr


def test_show_escapes_hostile_titles(stage: Stage) -> None:
    """Markup, control characters, line ends and direction marks are printed without effect."""
    stage.happen(ItemPut(EPISODE, _HOSTILE))
    stage.happen(schedule_put(KEY))

    result = stage.run("show", KEY)

    assert _MADE_SAFE in result.stdout
    assert not {"\x1b", "\u202e"} & set(result.stdout)


def test_documents_are_ascii_and_keep_every_character(stage: Stage) -> None:
    """JSON escapes hostile characters."""
    stage.happen(ItemPut(EPISODE, _HOSTILE))
    stage.happen(schedule_put(KEY))

    result = stage.run("deps", KEY, "--json")

    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout
    assert stage.run_for_json("deps", KEY)["items"][0]["title"] == _HOSTILE


def test_show_has_no_colour_without_a_terminal(published: Stage) -> None:
    """The output has no escapes."""
    result = published.run("show", KEY)

    assert "\x1b" not in result.output


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
    """Every command that takes a schedule names the expected form in one line."""
    output = ["-o", "never-written"] if command == "export" else []

    result = published.run(command, *words, *output)

    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert complaint in result.stderr
    assert result.stderr.endswith(f"(see `schedules-pipeline {command} --help`)\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["show", "deps", "history", "diff", "why"])
def test_a_mistyped_service_is_answered_with_the_closest(published: Stage, command: str) -> None:
    """Similar names are suggested."""
    result = published.run(command, "adler", "2026-03-28")

    assert result.exit_code == 1
    assert result.stderr == (
        "error: no schedule adler/2026-03-28: there is no service adler; did you mean alder?\n"
    )


def test_an_unknown_day_is_answered_with_the_known_days(published: Stage) -> None:
    """The error has the first and the last published day."""
    result = published.run("show", "alder", "2030-01-01")

    assert result.exit_code == 1
    assert "of alder there are 2026-03-28 to 2026-03-29" in result.stderr


def test_nothing_is_suggested_in_an_empty_keyspace(stage: Stage) -> None:
    """The error says that nothing was published."""
    result = stage.run("show", KEY)

    assert result.stderr == "error: no schedule alder/2026-03-28: nothing has been published yet\n"


def test_one_schedule_at_a_time(published: Stage) -> None:
    """A second schedule is a usage error."""
    result = published.run("show", KEY, TOMORROW)

    assert result.exit_code == 2
    assert "'alder/2026-03-29' is too much" in result.stderr
