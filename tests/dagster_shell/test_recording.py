"""What the recorder writes to Dagster, over fakes and an instance in memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from unittest.mock import Mock

import dagster as dg
import orjson
import pytest
from dagster_stage import DagsterStage, ListWriter, source_document

from schedules_pipeline.assets import names
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.health.ports import FailedCheck
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.publishing.ports.work import Failure
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_LATE = ScheduleKey(Sid("alder_one"), date(2030, 1, 1))


class Stage(DagsterStage):
    """A pipeline of fakes, an instance in memory, and every event that was logged."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self.events: list[Any] = []
        self.recorder = self.new_recorder()

    def new_recorder(self, name: str = "run") -> Recorder:
        settings = Settings()
        return Recorder(self.pipeline, settings, self.instance, ListWriter(self.events, name))

    def put(self, key: ScheduleKey, broadcasts: int = 2, content: bytes | None = None) -> None:
        """Put a document, ingest its notification, and publish."""
        self.upstreams.schedule_source.put(key, content or source_document(key, broadcasts))
        body = orjson.dumps({"sid": key.sid, "date": key.date.isoformat()}).decode()
        self.pipeline.schedule_intake.handle([Message("m1", body, self.clock(), "", 1)])
        self.clock.advance(timedelta(seconds=2))
        self.pipeline.publisher.publish_all()

    def told(self, kind: type) -> list[Any]:
        """Those about one schedule."""
        return [event for event in self.events if event.partition is not None and isinstance(event, kind)]

    def states(self) -> dict[str, dg.AssetCheckEvaluation]:
        """The latest evaluation of each check over all schedules."""
        found = (event for event in self.events if isinstance(event, dg.AssetCheckEvaluation))
        return {event.check_name: event for event in found if event.partition is None}

    def evaluations(self) -> dict[str, dg.AssetCheckEvaluation]:
        """The latest evaluation of each check."""
        return {e.check_name: e for e in self.told(dg.AssetCheckEvaluation)}


@pytest.fixture
def stage() -> Iterator[Stage]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Stage(instance)


def test_a_new_schedule_is_recorded_as_all_three_assets(stage: Stage) -> None:
    """A new source materialises all three assets in its partition, with the cause."""
    stage.put(_KEY)

    taken = stage.recorder.record_published()

    materialised = stage.told(dg.AssetMaterialization)
    assert taken == 1
    assert [m.asset_key for m in materialised] == [
        names.SOURCE_SCHEDULE,
        names.BACK_REFERENCE_INDEX,
        names.PARTNER_SCHEDULE,
    ]
    assert {m.partition for m in materialised} == {partition_key(_KEY)}
    metadata = materialised[-1].metadata
    assert metadata["seq"].value == 1
    assert metadata["cause"].value == f"schedule: {_KEY}"
    assert metadata["event_id"].value == "m1"
    assert metadata["seconds_from_notification"].value == 2.0


def test_a_new_service_becomes_a_partition(stage: Stage) -> None:
    """The first schedule of a service makes the service and its date known to Dagster, whatever the date is."""
    stage.put(_LATE)

    stage.recorder.record_published()

    assert list(stage.instance.get_dynamic_partitions("services")) == ["alder_one"]
    assert list(stage.instance.get_dynamic_partitions("dates")) == ["2030-01-01"]
    assert {m.partition for m in stage.told(dg.AssetMaterialization)} == {partition_key(_LATE)}


def test_every_check_is_evaluated_for_a_new_schedule(stage: Stage) -> None:
    """Each check is evaluated for a new version, but for the comparison with the old system, which comes later."""
    stage.put(_KEY, broadcasts=17)

    stage.recorder.record_published()

    outcomes = {name: evaluation.passed for name, evaluation in stage.evaluations().items()}
    assert outcomes == {
        "is_built": True,
        "source_accepted": True,
        "broadcasts_accepted": True,
        "no_gaps_or_overlaps": True,
        "index_complete": True,
        "references_resolved": False,
        "within_expected_range": True,
    }


def test_what_is_recorded_once_is_not_recorded_again(stage: Stage) -> None:
    """No run records a confirmed change again."""
    stage.put(_KEY)
    stage.recorder.record_published()
    stage.events.clear()

    again = stage.new_recorder("another run").record_published()

    assert again == 0
    assert stage.events == []


def test_an_unchanged_rebuild_is_not_recorded(stage: Stage) -> None:
    """A rebuild that published nothing leaves no record."""
    stage.put(_KEY)
    stage.recorder.record_published()
    stage.events.clear()
    stage.put(_KEY)

    stage.recorder.record_published()

    assert stage.events == []


def test_a_removal_is_an_observation(stage: Stage) -> None:
    """A removed schedule is not materialised; an observation of its partition shows the removal."""
    stage.put(_KEY)
    stage.recorder.record_published()
    stage.events.clear()
    stage.upstreams.schedule_source.remove(_KEY)
    body = orjson.dumps({"sid": _KEY.sid, "date": _KEY.date.isoformat(), "action": "DELETE"}).decode()
    stage.pipeline.schedule_intake.handle([Message("m2", body, stage.clock(), "", 1)])
    stage.pipeline.publisher.publish_all()

    stage.recorder.record_published()

    (removed,) = [event for event in stage.events if event.partition is not None]
    assert isinstance(removed, dg.AssetObservation)
    assert removed.partition == partition_key(_KEY)


def test_partitions_are_there_before_their_first_record(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher that dies before it records leaves a partition without records, which the next one records."""
    stage.put(_LATE)
    monkeypatch.setattr(ListWriter, "write", Mock(side_effect=ConnectionError))

    with pytest.raises(ConnectionError):
        stage.recorder.record_published()

    assert list(stage.instance.get_dynamic_partitions("dates")) == ["2030-01-01"]
    assert stage.events == []


def test_a_rejected_document_fails_its_check_until_a_good_one_comes(stage: Stage) -> None:
    """A rejection is shown with its reason, and cleared by the next accepted document."""
    stage.put(_KEY)
    stage.put(_KEY, content=b"<html>")
    stage.recorder.record_rejections()
    rejected = stage.evaluations()["source_accepted"]
    stage.put(_KEY, broadcasts=3)
    stage.recorder.record_rejections()

    accepted = stage.evaluations()["source_accepted"]

    assert not rejected.passed
    assert "Invalid JSON" in (rejected.description or "")
    assert accepted.passed


def test_quarantined_broadcasts_fail_their_check_without_a_new_version(stage: Stage) -> None:
    """The last good slot stays, so partners see no change, and the check names the broadcast all the same."""
    stage.put(_KEY)
    stage.recorder.record_published()
    document = orjson.loads(source_document(_KEY, 2))
    document["broadcasts"][1]["end"] = "noon"
    stage.put(_KEY, content=orjson.dumps(document))
    published = stage.recorder.record_published()
    stage.recorder.record_quarantined_broadcasts()
    failed = stage.evaluations()["broadcasts_accepted"]
    stage.put(_KEY)

    stage.recorder.record_quarantined_broadcasts()

    assert published == 0
    assert (failed.passed, failed.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "broadcast 2: end: " in str(failed.metadata["quarantined"].value)
    assert stage.evaluations()["broadcasts_accepted"].passed


def test_a_rejected_catalogue_document_is_an_observation(stage: Stage) -> None:
    """A rejected catalogue document is an observation of the catalogue, with its reason."""
    rejection = Rejection("title: Input should be a string", stage.clock(), "", "", "")
    stage.store.rejections.keep({"b00000001": rejection})

    stage.recorder.record_rejections()
    stage.recorder.record_rejections()

    (observation,) = stage.events
    assert observation.asset_key == names.CATALOGUE_ITEMS
    assert observation.metadata["rejected"].value == "b00000001"


def test_a_quarantined_schedule_fails_its_check_as_an_error(stage: Stage) -> None:
    """A quarantined schedule fails its check with severity ERROR and the last reason."""
    cause = Cause("e", Origin.OPERATOR, "test", stage.clock())
    claim = stage.store.work.claim_exactly([_KEY], cause, stage.clock(), timedelta(minutes=1))
    stage.store.work.postpone(claim, {_KEY: Failure("it broke", None)}, counts=True)

    stage.recorder.record_rejections()

    evaluation = stage.evaluations()["is_built"]
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert "it broke" in (evaluation.description or "")


def test_each_batch_ends_with_the_state_of_its_checks(stage: Stage) -> None:
    """After one batch, and another with schedules that pass, a check tells how many of all fail, and why one does."""
    stage.put(_KEY)
    stage.recorder.record_published()
    first = stage.states()
    item = {"pid": "b00000003", "type": "episode", "title": "Known"}
    stage.upstreams.catalogue_source.documents[Pid("b00000003")] = orjson.dumps(item)
    stage.put(_LATE, content=source_document(_LATE, 2).replace(b"b00000001", b"b00000003"))
    stage.recorder.record_published()

    state = stage.states()["references_resolved"]
    assert set(first) == {name.value for name in CheckName} - {"matches_legacy"}
    assert first["is_built"].description == "no schedule fails"
    assert (state.passed, state.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert state.description == f"1 schedule fails; {_KEY}: 2 × unknown episode"
    assert state.metadata["failing"].value == 1
    assert str(_KEY).replace("_", "\\_") in str(state.metadata["examples"].value).replace("\\-", "-")
    assert stage.events[-1].partition is None


def test_checks_that_fail_as_errors_are_kept_while_they_do(stage: Stage) -> None:
    """The store lists the checks that fail with severity ERROR, without warnings or passing checks."""
    stage.put(_KEY)
    stage.recorder.record_published()
    comparison = Comparison(1, Verdict.DIFFERS, "2026-03-28T12:00:00+00:00", difference_count=2)

    stage.recorder.record_comparisons({_KEY: comparison})
    failing = stage.store.failing_checks.all()
    stage.recorder.record_comparisons({_KEY: replace(comparison, verdict=Verdict.MATCHES)})

    assert failing == {(_KEY, "matches_legacy"): "2 differences from the old system"}
    assert stage.store.failing_checks.all() == {}


def test_nothing_fails_of_a_schedule_that_was_removed(stage: Stage) -> None:
    """A removed schedule has no failing checks."""
    stage.put(_KEY)
    stage.recorder.record_published()
    stage.store.failing_checks.record({(_KEY, "index_complete"): FailedCheck("1 missing", is_error=True)})
    stage.upstreams.schedule_source.remove(_KEY)
    body = orjson.dumps({"sid": _KEY.sid, "date": _KEY.date.isoformat(), "action": "DELETE"}).decode()
    stage.pipeline.schedule_intake.handle([Message("m2", body, stage.clock(), "", 1)])
    stage.pipeline.publisher.publish_all()

    stage.recorder.record_published()

    assert stage.store.failing_checks.all() == {}


@pytest.mark.parametrize(
    ("verdict", "passed", "severity"),
    [
        (Verdict.MATCHES, True, dg.AssetCheckSeverity.WARN),
        (Verdict.DIFFERS, False, dg.AssetCheckSeverity.ERROR),
        (Verdict.SUSPECTED, False, dg.AssetCheckSeverity.WARN),
        (Verdict.HELD, False, dg.AssetCheckSeverity.WARN),
    ],
)
def test_a_comparison_becomes_a_check_evaluation(
    stage: Stage,
    verdict: Verdict,
    passed: bool,
    severity: dg.AssetCheckSeverity,
) -> None:
    """Only a match passes, and only a confirmed difference is an error."""
    differences = (("p00000001", "title", "ours", "theirs"),)
    comparison = Comparison(1, verdict, "2026-03-28T12:00:00+00:00", "why", len(differences), differences)

    stage.recorder.record_comparisons({_KEY: comparison})

    evaluation = stage.evaluations()["matches_legacy"]
    assert (evaluation.passed, evaluation.severity) == (passed, severity)
    assert evaluation.partition == partition_key(_KEY)


def test_what_can_lastingly_not_be_compared_is_a_warning(stage: Stage) -> None:
    """Without a result, an earlier match would stay green for ever."""
    lasting = Comparison(1, Verdict.NOT_COMPARABLE, "", "it has no such schedule", is_lasting=True)

    stage.recorder.record_comparisons({_KEY: lasting})

    evaluation = stage.evaluations()["matches_legacy"]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "what_to_do" in evaluation.metadata
    assert stage.store.failing_checks.states(["matches_legacy"])["matches_legacy"].warnings == 1


def test_what_cannot_be_compared_is_no_evaluation(stage: Stage) -> None:
    """Dagster shows no result until there is one, and an earlier difference counts no more."""
    differs = FailedCheck("2 differences from the old system", is_error=True)
    stage.store.failing_checks.record({(_KEY, "matches_legacy"): differs})

    stage.recorder.record_comparisons({_KEY: Comparison(1, Verdict.NOT_COMPARABLE, "", "it is older")})

    assert stage.events == []
    assert stage.store.failing_checks.all() == {}


@pytest.mark.parametrize(
    ("status", "recorded"),
    [
        (dg.DagsterRunStatus.SUCCESS, False),
        (dg.DagsterRunStatus.STARTED, False),
        (dg.DagsterRunStatus.FAILURE, True),
        (dg.DagsterRunStatus.CANCELED, True),
    ],
)
def test_what_another_run_records_itself_is_left_to_it_unless_it_failed(
    stage: Stage, status: dg.DagsterRunStatus, recorded: bool
) -> None:
    """A materialisation by hand records its versions; the publisher records those of a failed one."""
    run = dg.DagsterRun(job_name="by hand", run_id="00000000-0000-0000-0000-000000000001", status=status)
    stage.instance.add_run(run)
    stage.upstreams.schedule_source.put(_KEY, source_document(_KEY, 2))
    cause = Cause(run.run_id, Origin.OPERATOR, "materialise", stage.clock())
    stage.pipeline.publisher.rebuild_from_sources([_KEY], cause, recorded_by=run.run_id)

    stage.recorder.record_published()

    assert bool(stage.told(dg.AssetMaterialization)) is recorded
    assert (stage.store.feed.unrecorded() > 0) is (status is dg.DagsterRunStatus.STARTED)
