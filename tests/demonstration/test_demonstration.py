"""The demonstration's scenarios, its file of environment variables, and its retries."""

import gzip
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from demo.command_line import main
from demo.playing import retry_until_answered
from demo.private_file import write_environment
from demo.sample import Sample
from demo.scenarios import Scenario, imported, invented, recorded
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    SchedulePut,
    ScheduleRemoved,
    write_history,
)


def test_the_environment_is_read_by_a_shell(tmp_path: Path) -> None:
    """A shell that reads the file exports every variable, also values with quotes and line breaks."""
    environment = {"FIRST": "redis://127.0.0.1:6379/0", "SECOND": 'it\'s $HOME; `true`\n"done"'}
    write_environment(tmp_path / "environment", environment)

    script = ". ./environment; printenv FIRST; printenv SECOND"
    result = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout == "".join(f"{value}\n" for value in environment.values())


def test_the_environment_is_for_its_owner_alone(tmp_path: Path) -> None:
    """The file holds credentials, so it gets mode 600 even if an older file had another mode."""
    path = tmp_path / "environment"
    path.write_text("old")
    path.chmod(0o644)

    write_environment(path, {"NAME": "value"})

    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_of_the_invented_sample_is_past_the_horizon() -> None:
    """The sample's days of clock changes may be months ago."""
    now = datetime(2026, 9, 1, tzinfo=UTC)

    scenario = invented(now, 10)

    assert all(_horizon(scenario).keeps(day, now) for _, day in scenario.opening.schedules)


def test_nothing_of_a_recorded_history_is_past_the_horizon(tmp_path: Path) -> None:
    """A history may have been recorded years ago."""
    put = {"at": "2011-01-21T00:26:38Z", "kind": "schedule", "action": "PUT"}
    key = {"sid": "alder_one", "date": "2011-01-28"}
    line = orjson.dumps({**put, **key, "document": key})
    (tmp_path / "history.jsonl.gz").write_bytes(gzip.compress(line + b"\n"))
    now = datetime(2026, 9, 1, tzinfo=UTC)

    scenario = recorded(tmp_path / "history.jsonl.gz", 600, now)

    assert scenario.opening.schedules
    assert all(_horizon(scenario).keeps(day, now) for _, day in scenario.opening.schedules)


def test_removals_of_a_recorded_history_are_replayed(tmp_path: Path) -> None:
    """In the first hour they leave nothing in the opening; later ones are changes."""
    day, at = date(2026, 3, 28), datetime(2026, 3, 27, 9, tzinfo=UTC)
    item = {"pid": "b0000001", "type": "brand", "title": "Salt and Slate"}
    schedule = {"sid": "alder_one", "date": day.isoformat(), "broadcasts": []}
    events = [
        CatalogueUpdated(at, item, "brand", "b0000001"),
        SchedulePut(at, schedule, "alder_one", day),
        CatalogueDeleted(at, "brand", "b0000001"),
        ScheduleRemoved(at, "alder_one", day),
        CatalogueDeleted(at + timedelta(hours=2), "brand", "b0000002"),
        ScheduleRemoved(at + timedelta(hours=2), "alder_two", day),
    ]
    write_history(tmp_path / "history.jsonl.gz", events)

    scenario = recorded(tmp_path / "history.jsonl.gz", 600, datetime(2026, 9, 1, tzinfo=UTC))

    changes = [change for _, change in scenario.changes]
    assert scenario.opening == Sample({}, {})
    assert [change.deleted for change in changes] == [{"b0000002": "brand"}, {}]
    assert [change.schedules for change in changes] == [{}, {("alder_two", day): None}]


@pytest.mark.parametrize("year", [2011, 2026, 2031])
def test_nothing_of_an_imported_guide_is_past_the_horizon(tmp_path: Path, year: int) -> None:
    """A guide may be years old or years ahead; all of it is in the opening, and no changes follow."""
    times = f'start="{year}0328120000 +0000" stop="{year}0328123000 +0000"'
    programme = f'<programme {times} channel="alder.one"><title>Salt</title></programme>'
    (tmp_path / "guide.xml").write_text(f"<tv>{programme}</tv>")
    now = datetime(2026, 9, 1, tzinfo=UTC)

    scenario = imported(tmp_path / "guide.xml", now)

    assert list(scenario.opening.schedules) == [("alder_one", date(year, 3, 28))]
    assert list(scenario.changes) == []
    assert all(_horizon(scenario).keeps(day, now) for _, day in scenario.opening.schedules)
    assert scenario.settings["SCHEDULES_SERVICE_NAMES"] == '{"alder_one":"alder.one"}'


def test_a_guide_and_a_history_are_not_shown_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line takes one of the two."""
    given = tmp_path / "given"
    given.touch()

    with pytest.raises(SystemExit):
        main(["--xmltv", str(given), "--replay", str(given)])

    assert "not allowed with" in capsys.readouterr().err


def _horizon(scenario: Scenario) -> RetentionHorizon:
    return RetentionHorizon(int(scenario.settings["SCHEDULES_RETENTION_DAYS"]))


def test_a_redis_that_does_not_answer_does_not_end_the_demonstration() -> None:
    """The call is retried until it succeeds, with one line at the first failure and one at the recovery."""
    answers = iter([ServiceError("Redis: away"), RedisConnectionError("away"), None])
    lines: list[str] = []
    pauses: list[float] = []

    def act() -> None:
        if error := next(answers):
            raise error

    retry_until_answered(act, lines.append, pauses.append)

    assert [line[10:19] for line in lines] == ["no answer", "answers  "]
    assert pauses == [1.0, 1.0]
