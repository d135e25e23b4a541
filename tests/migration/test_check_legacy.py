"""What the check ``matches_legacy`` tells of a comparison."""

import pytest

from schedules_pipeline.migration.check_legacy import legacy_result
from schedules_pipeline.migration.ports import Comparison, Verdict


@pytest.mark.parametrize(
    ("seq", "difference", "text"),
    [
        (1, ("p1", "title", "Here", "There"), "title of p1 is “Here”, in the old system “There”"),
        (1, ("p1", "(broadcast)", "2026", "(absent)"), "broadcast p1 at 2026 is only here"),
        (1, ("p1", "(broadcast)", "(absent)", "2026"), "broadcast p1 at 2026 is only in the old system"),
        (0, ("p1", "(broadcast)", "(absent)", "2026"), "the pipeline never had this schedule"),
        (1, ("", "(order)", "a b", "b a"), "(order) is “a b”, in the old system “b a”"),
    ],
)
def test_a_difference_is_described(seq: int, difference: tuple[str, str, str, str], text: str) -> None:
    """The summary tells the first difference, as Dagster shows no more of a result in its history."""
    result = legacy_result(
        Comparison(seq, Verdict.DIFFERS, "", "", 1, (difference,)), difference_is_error=True
    )

    assert result.summary == f"1 difference from the old system: {text}"
