"""The asset ``parity_report``: its metadata and its files."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from builders import a_change
from dagster_stage import DagsterStage

from schedules_pipeline.assets import names
from schedules_pipeline.assets.parity import parity_assets, report_metadata
from schedules_pipeline.definitions import build_defs
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.settings import Settings

_KEYS = [ScheduleKey(Sid("alder_one"), date(2026, 3, day)) for day in (27, 28)]


class Stage(DagsterStage):
    """Two schedules: one matches, one differs in its title, which is hostile."""

    def __init__(self, directory: Path, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self.settings = Settings(reports_directory=str(directory), reports_kept=1)
        refreshed = (self.clock() - timedelta(minutes=1)).isoformat()
        for key in _KEYS:
            change = a_change(key, 1, published_at=self.clock() - timedelta(hours=1))
            self.store.feed.append([(key, 1, render_row(change))])
            self.upstreams.legacy.documents[key] = b""
        difference = ("p00000001", "title", "<img src=x>|", "*theirs*")
        self.store.comparisons.keep(
            {
                _KEYS[0]: Comparison(1, Verdict.MATCHES, refreshed),
                _KEYS[1]: Comparison(1, Verdict.DIFFERS, refreshed, "", 1, (difference,)),
            }
        )
        self.upstreams.legacy.refreshed = refreshed
        self.store.comparisons.record_compared_refresh(refreshed)

    def materialise(self) -> dict[str, object]:
        """Materialise the asset. Returns its metadata as Dagster stores them."""
        result = dg.materialize(
            [parity_assets(self.settings)], instance=self.instance, resources={"pipeline": self.pipeline}
        )
        (event,) = result.asset_materializations_for_node("parity_report")
        return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        yield Stage(tmp_path / "reports", instance)


def test_the_report_is_shown_with_its_verdict_first(stage: Stage) -> None:
    """The metadata begin with the verdict, and the share is a number, which Dagster plots."""
    metadata = stage.materialise()

    assert next(iter(metadata)) == "verdict"
    assert "not ready" in str(metadata["verdict"])
    assert metadata["matching_percent"] == 50.0
    assert (metadata["comparable"], metadata["matching"], metadata["differing"]) == (2, 1, 1)
    assert str(metadata["trend"]).startswith("![share that matches")


def test_texts_of_others_are_escaped(stage: Stage) -> None:
    """A title with HTML or Markdown is shown literally."""
    worst = str(stage.materialise()["worst schedules"])

    assert r"&lt;img src=x&gt;\|" in worst
    assert r"\*theirs\*" in worst


def test_the_files_are_named_and_only_the_latest_stay(stage: Stage) -> None:
    """The metadata name the files of this report; with one report kept, those of the first are gone."""
    first = stage.materialise()
    stage.clock.advance(timedelta(minutes=1))

    second = stage.materialise()

    assert all(Path(str(second[f"report ({ending})"])).is_file() for ending in ("html", "csv", "json"))
    assert not Path(str(first["report (html)"])).exists()


def test_without_anything_compared_no_share_is_shown(tmp_path: Path) -> None:
    """Without comparable schedules there is no share to plot, and the verdict says so."""
    with dg.DagsterInstance.ephemeral() as instance:
        stage = Stage(tmp_path, instance)
        stage.store.comparisons.keep({key: Comparison(1, Verdict.NOT_COMPARABLE, "", "") for key in _KEYS})

    metadata = report_metadata(stage.pipeline.parity_reporter.preview())

    assert "matching_percent" not in metadata
    assert "nothing was compared" in str(metadata["verdict"].value)


def test_a_new_refresh_is_compared_first(stage: Stage) -> None:
    """A materialisation by hand compares with the old system's latest refresh, even without a publisher."""
    stage.upstreams.legacy.refreshed = stage.clock().isoformat()

    stage.materialise()

    assert not stage.pipeline.comparer.is_due()


def test_reports_and_pruning_run_daily() -> None:
    """The code location has a timer for each, and both are on."""
    definitions = build_defs(Settings())

    timers = {
        name: definitions.resolve_schedule_def(name) for name in ("parity_timer", "prune_records_timer")
    }

    assert all(timer.default_status is dg.DefaultScheduleStatus.RUNNING for timer in timers.values())
    job = definitions.resolve_job_def(timers["parity_timer"].job_name)
    assert job.asset_layer.executable_asset_keys == {names.PARITY_REPORT}
    assert timers["prune_records_timer"].job_name == "prune_records"
