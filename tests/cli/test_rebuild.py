"""``rebuild``, over a pipeline of fakes."""

import json
from collections.abc import Sequence

import pytest
from cli_stage import BRAND, KEY, RADIO, TOMORROW, Stage, schedule_put
from toy_world import ItemPut

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.publish import Publisher
from schedules_pipeline.publishing.rebuild import BatchResult


def test_rebuild_of_one_asks_nothing(published: Stage) -> None:
    """A schedule that is right already is not published again."""
    document = published.run_for_json("rebuild", KEY)

    assert document == {
        "counts": {"unchanged": 1},
        "schedules": [{"schedule": str(KEY), "outcome": "unchanged", "seq": 2}],
        "failed": [],
    }


def test_rebuild_reads_the_sources_anew(published: Stage) -> None:
    """It finds a change that was never announced."""
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
    """Schedules are chosen by service, by days (both ends inclusive) or by name, and each is rebuilt once."""
    published.happen(schedule_put(RADIO))

    document = published.run_for_json("rebuild", *words, "--yes")

    assert sorted(row["schedule"] for row in document["schedules"]) == sorted(map(str, rebuilt))


def test_rebuild_of_more_than_one_asks(published: Stage) -> None:
    """The question has their number, and a no ends the command."""
    ItemPut(BRAND, "Quiet Viaduct").write(published.upstreams)

    declined = published.run("rebuild", "--all", answer="n\n")
    unanswered = published.run("rebuild", "--all")
    agreed = published.run("rebuild", "--all", answer="y\n")

    assert (declined.exit_code, unanswered.exit_code, agreed.exit_code) == (1, 1, 0)
    assert "Rebuild 2 schedules?" in declined.stderr
    assert declined.stderr.endswith("error: nothing was done\n")
    assert "without a terminal to ask on, use --yes" in unanswered.stderr
    assert "2 published" in agreed.stdout


def test_rebuild_of_an_unpublished_schedule(published: Stage) -> None:
    """A schedule in the source that was never announced is built."""
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
    """An invalid choice is a usage error; an empty one is not found."""
    result = published.run("rebuild", *words)

    assert result.exit_code == exit_code
    assert complaint in result.stderr


def test_rebuild_reports_failed_fetches(published: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is shown, and the command ends with 3."""
    error = ServiceError("the bucket is away")
    monkeypatch.setattr(published.upstreams.schedule_source, "fetch", lambda keys: dict.fromkeys(keys, error))

    result = published.run("rebuild", KEY)
    document = published.run_for_json("rebuild", KEY, exit_code=3)

    assert result.exit_code == 3
    assert "the next publisher retries them" in result.stdout
    assert document["failed"] == [{"schedule": str(KEY), "reason": "the bucket is away"}]


def test_rebuild_reports_what_was_done_before_a_service_failed(
    published: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch is in the answer, and the command ends with 3."""
    monkeypatch.setattr("schedules_pipeline.cli.rebuild.BATCH_SIZE", 1)
    rebuild, answers = published.pipeline.publisher.rebuild_from_sources, iter([True, False])

    def rebuild_once(publisher: Publisher, keys: Sequence[ScheduleKey], cause: Cause) -> BatchResult:
        if next(answers):
            return rebuild(keys, cause)
        raise ServiceError("Redis: away")

    monkeypatch.setattr(Publisher, "rebuild_from_sources", rebuild_once)

    result = published.run("rebuild", KEY, TOMORROW, "--yes", "--json")

    assert result.exit_code == 3
    assert [each["schedule"] for each in json.loads(result.stdout)["schedules"]] == [str(KEY)]
    assert result.stderr.startswith("error: Redis: away")
