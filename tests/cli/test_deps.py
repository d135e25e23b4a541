"""``deps``, over a pipeline of fakes."""

from cli_stage import BRAND, EPISODE, KEY, TOMORROW, Stage, schedule_put
from toy_world import BROADCASTS


def test_deps_of_a_schedule(published: Stage) -> None:
    """Its episodes with their broadcasts, and their ancestors, each known or missing."""
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


def test_deps_marks_missing_items(stage: Stage) -> None:
    """An episode that the catalogue lacks is a dependency too."""
    stage.happen(schedule_put(KEY))

    document = stage.run_for_json("deps", KEY)
    shown = stage.run("deps", KEY).stdout

    assert [(item["pid"], item["known"]) for item in document["items"]] == [(EPISODE, False)]
    assert "of which 1 missing" in shown
    assert "MISSING" in shown


def test_deps_of_a_pid(published: Stage) -> None:
    """Schedules depend on an episode through broadcasts, and on a brand as an ancestor."""
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
    """The text has the item and the number of its dependants."""
    result = published.run("deps", BRAND)

    assert f"{BRAND}  brand 'Salt and Slate'\n2 schedules depend on it\n" in result.stdout


def test_deps_of_an_unknown_pid(published: Stage) -> None:
    """A pid without dependants and without a copy is not found."""
    result = published.run("deps", "zzzzzzzz")

    assert result.exit_code == 1
    assert "nothing depends on it" in result.stderr


def test_deps_of_an_invalid_word(published: Stage) -> None:
    """The usage error describes both forms."""
    result = published.run("deps", "aeiou")

    assert result.exit_code == 2
    assert "neither a pid (digits and consonants, 8 to 32 of them) nor a schedule (SID DATE)" in result.stderr
