"""Usage counts of a process, until they are stored."""

from datetime import UTC, datetime, timedelta

from schedules_pipeline.delivery.admission import OTHER_ROUTE, Admission
from schedules_pipeline.partners.ports import UsageKind, UsageLine

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_ROUTE = "/v1/changes"


def test_usage_is_counted_by_route_status_and_problem() -> None:
    """Taking it leaves nothing, so that nothing is stored twice."""
    admission = Admission()
    admission.count_response("acme", _ROUTE, 200, 1_000)
    admission.count_response("acme", _ROUTE, 200, 500)
    admission.count_response("acme", _ROUTE, 404, 20, "not-found")

    taken, left = (admission.collect_usage(_NOW.date()) for _ in range(2))

    assert taken == {
        _NOW.date(): {
            UsageLine("acme", UsageKind.REQUESTS, _ROUTE, "200"): 2,
            UsageLine("acme", UsageKind.REQUESTS, _ROUTE, "404"): 1,
            UsageLine("acme", UsageKind.BYTES): 1_520,
            UsageLine("acme", UsageKind.PROBLEMS, "", "not-found"): 1,
        }
    }
    assert left == {}


def test_returned_counts_are_taken_again() -> None:
    """Returned counts keep their day and are handed over with newer ones."""
    yesterday = _NOW.date() - timedelta(days=1)
    line = UsageLine("acme", UsageKind.BYTES)
    admission = Admission()
    admission.return_usage(yesterday, {line: 5})
    admission.return_usage(_NOW.date(), {line: 6})
    admission.count_response("acme", _ROUTE, 200, 7)

    taken = admission.collect_usage(_NOW.date())

    assert taken[yesterday] == {line: 5}
    assert taken[_NOW.date()][line] == 13
    assert admission.collect_usage(_NOW.date()) == {}


def test_routes_cannot_fill_the_store() -> None:
    """Routes beyond the maximum count as one."""
    admission = Admission()
    for number in range(1_000):
        admission.count_response("acme", f"/v1/{number}", 404, 0)
    admission.count_response("acme", "/v1/a b", 404, 0)

    counts = admission.collect_usage(_NOW.date())[_NOW.date()]

    assert len(counts) < 210
    assert counts[UsageLine("acme", UsageKind.REQUESTS, OTHER_ROUTE, "404")] == 801
