"""What operators check, on fakes and Redis alike: rejections, comparisons, counters, and the running publisher."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.maintenance.ports import PassName, PassRecord, PassReport
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.publishing.ports.counters import Counter
from schedules_pipeline.publishing.ports.rejections import Rejection

PassTime = Callable[[timedelta], None]

_NOW = datetime(2026, 3, 28, 12, 0, 0, 123456, tzinfo=UTC)
_A, _B = ScheduleKey.parse("alder/2026-03-28"), ScheduleKey.parse("birch/2026-03-28")


def _rejection(reason: str) -> Rejection:
    return Rejection(reason, _NOW, "abc", "put 1", '{"sid": "Häl\n')


def test_rejections_are_kept_by_subject(store: Store) -> None:
    """The latest rejection of each subject comes back whole."""
    store.rejections.keep({str(_A): _rejection("torn"), "p0000001": _rejection("odd")})
    store.rejections.keep({str(_A): _rejection("shrunken")})

    found = store.rejections.find([str(_A), "p0000002", "p0000001"])

    assert found == {str(_A): _rejection("shrunken"), "p0000001": _rejection("odd")}
    assert store.rejections.all() == found


def test_rejections_are_forgotten(store: Store) -> None:
    """Accepted input ends the rejection; forgetting an unknown subject is allowed."""
    store.rejections.keep({str(_A): _rejection("torn"), str(_B): _rejection("torn")})

    store.rejections.forget([str(_A), "p0000001"])
    store.rejections.forget([])

    assert store.rejections.all() == {str(_B): _rejection("torn")}


def test_no_rejections(store: Store) -> None:
    """Unknown subjects and empty queries find no rejection."""
    store.rejections.keep({})

    assert store.rejections.find([]) == {}
    assert store.rejections.find([str(_A)]) == {}
    assert store.rejections.all() == {}


def test_comparisons_are_kept_by_schedule(store: Store) -> None:
    """The latest comparison of each schedule comes back whole."""
    differs = Comparison(
        3, Verdict.DIFFERS, "2026-03-28T11:00:00.000001Z", "", 7, (("w0000001", "title", "Salt", "Slate"),)
    )
    store.comparisons.keep(
        {_A: Comparison(2, Verdict.SUSPECTED, "x"), _B: Comparison(1, Verdict.MATCHES, "y")}
    )
    store.comparisons.keep({_A: differs})
    store.comparisons.keep({})

    kept = store.comparisons.all()

    assert kept == {_A: differs, _B: Comparison(1, Verdict.MATCHES, "y")}


def test_compared_refresh_is_remembered(store: Store) -> None:
    """Before the first comparison it is empty."""
    before = store.comparisons.compared_refresh()

    store.comparisons.record_compared_refresh("2026-03-28T11:00:00Z")

    assert before == ""
    assert store.comparisons.compared_refresh() == "2026-03-28T11:00:00Z"


def test_counters_add_up(store: Store) -> None:
    """Totals grow by what is added; a counter that never grew is not listed."""
    store.counters.add({Counter.SCHEDULE_PUTS: 2, Counter.SCHEDULE_REMOVALS: 0})
    store.counters.add({Counter.SCHEDULE_PUTS: 3, Counter.SCHEDULES_PUBLISHED: 1})
    store.counters.add({})

    assert store.counters.all() == {Counter.SCHEDULE_PUTS: 5, Counter.SCHEDULES_PUBLISHED: 1}


def test_passes_are_remembered_by_name(store: Store) -> None:
    """For each kind of pass the latest report, the latest success and the totals come back."""
    well = PassReport(PassName.COLLECTION, _NOW, _NOW + timedelta(seconds=2), {"copies": 3})
    ill = PassReport(PassName.COLLECTION, _NOW, _NOW + timedelta(seconds=1), {}, "Redis: down")

    store.passes.record(well)
    store.passes.record(ill)

    assert store.passes.all() == {PassName.COLLECTION: PassRecord(ill, well, runs=2, failures=1, seconds=3.0)}


def test_a_pass_that_never_succeeded_has_no_success(store: Store) -> None:
    """Before the first success there is only a report; before the first pass there is none."""
    assert store.passes.all() == {}
    ill = PassReport(PassName.RECONCILIATION, _NOW, _NOW, {}, "bucket: denied")

    store.passes.record(ill)

    assert store.passes.all()[PassName.RECONCILIATION].latest_success is None


def test_comparisons_are_found_by_schedule(store: Store) -> None:
    """Requested schedules that were compared come back."""
    comparison = Comparison(2, Verdict.MATCHES, "2026-03-28T10:00:00Z")
    store.comparisons.keep({_A: comparison})

    found = store.comparisons.find([_A, _B])

    assert found == {_A: comparison}
    assert store.comparisons.find([]) == {}


def test_comparisons_are_forgotten(store: Store) -> None:
    """A forgotten schedule is no longer listed; forgetting an unknown one is allowed."""
    comparison = Comparison(1, Verdict.MATCHES, "2026-03-28T12:00:00+00:00")
    store.comparisons.keep({_A: comparison, _B: comparison})

    store.comparisons.forget([_A])
    store.comparisons.forget([_A])
    store.comparisons.forget([])

    assert store.comparisons.all() == {_B: comparison}
