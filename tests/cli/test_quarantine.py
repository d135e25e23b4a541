"""``quarantine``, over a pipeline of fakes."""

from datetime import timedelta

import pytest
from cli_stage import KEY, TOMORROW, Stage

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.work import Failure, Mark


def _quarantine(stage: Stage, key: ScheduleKey, reason: str = "KeyError: 'title'") -> None:
    now = stage.clock()
    stage.store.work.mark([Mark(key, now, Cause("e", Origin.SCHEDULE, str(key), now))])
    claim = stage.store.work.claim(1, now, timedelta(minutes=1))
    assert claim is not None
    stage.store.work.postpone(claim, {key: Failure(reason, None)}, counts=True)


def test_quarantined_schedules_are_listed(published: Stage) -> None:
    """Each one has its last error."""
    _quarantine(published, KEY)

    document = published.run_for_json("quarantine", "list")
    words = published.run("quarantine", "list").stdout

    assert document == {"quarantined": [{"schedule": str(KEY), "reason": "KeyError: 'title'"}]}
    assert "alder/2026-03-28" in words


def test_no_schedule_is_quarantined(published: Stage) -> None:
    """An empty list ends with 0."""
    result = published.run("quarantine", "list")

    assert (result.exit_code, result.stdout) == (0, "no schedule is quarantined\n")


def test_a_quarantined_schedule_is_shown(published: Stage) -> None:
    """With its error, and whether it is released."""
    _quarantine(published, KEY)

    before = published.run_for_json("quarantine", "show", KEY)
    published.run("quarantine", "release", KEY)
    after = published.run("quarantine", "show", KEY)

    assert before["is_released"] is False
    assert "released; the next publisher builds it" in after.stdout


def test_a_released_schedule_is_built_again(published: Stage) -> None:
    """A successful build takes it off the list."""
    _quarantine(published, KEY)

    result = published.run("quarantine", "release", KEY)
    published.pipeline.publisher.publish_all()

    assert "released 1 schedule" in result.stdout
    assert published.store.work.quarantined() == {}


def test_all_schedules_are_released(published: Stage) -> None:
    """Exactly the quarantined schedules are marked for rebuild."""
    _quarantine(published, KEY)
    _quarantine(published, TOMORROW)

    document = published.run_for_json("quarantine", "release", "--all")

    assert sorted(document["released"]) == [str(KEY), str(TOMORROW)]
    assert published.store.work.unfinished([KEY, TOMORROW]) == {KEY, TOMORROW}


@pytest.mark.parametrize(
    ("words", "exit_code", "complaint"),
    [
        (["release"], 2, "name schedules as SID/DATE, or use --all"),
        (["release", str(KEY), "--all"], 2, "name schedules as SID/DATE, or use --all"),
        (["release", str(TOMORROW)], 1, "not quarantined: alder/2026-03-29"),
        (["show", str(TOMORROW)], 1, "not quarantined: alder/2026-03-29"),
        (["show", "alder"], 2, "expected sid/YYYY-MM-DD"),
    ],
)
def test_quarantine_rejects(published: Stage, words: list[str], exit_code: int, complaint: str) -> None:
    """Other schedules are not found; both or neither of keys and --all is a usage error."""
    _quarantine(published, KEY)

    result = published.run("quarantine", *words)

    assert result.exit_code == exit_code
    assert complaint in result.stderr
