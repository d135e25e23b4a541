"""``deps``, over a pipeline of fakes."""

from cli_stage import BRAND, EPISODE, KEY, TOMORROW, Stage, schedule_put
from toy_world import BROADCASTS


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
