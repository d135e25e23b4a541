"""The sizing formula of Redis predicts a measured keyspace, and the document has its constants."""

from pathlib import Path

import pytest

from benchmarks.sizing import TOLERANCE, World, documented, measure
from schedules_pipeline.sizing.memory import CONSTANTS, Installation, estimate

_DOCUMENT = Path(__file__).parents[1] / "docs/operators/sizing.md"


@pytest.mark.slow
@pytest.mark.usefixtures("redis_executable")
def test_the_formula_predicts_a_measured_keyspace(tmp_path: Path) -> None:
    """Of another size than the one from which the constants are: other services, days, changes and partners."""
    measured = measure(World(services=24, days=4, edited=24, edits=6, partners=12), tmp_path)

    assert measured.total == pytest.approx(measured.estimated(CONSTANTS), rel=TOLERANCE)


def test_versions_and_rows_are_bounded() -> None:
    """However many changes there are, a schedule has fifty versions, and the feed its 500,000 rows."""
    most = estimate(
        Installation(services=100, days=100, items=0, changes=1_000_000, partners=0), rejections=0
    )

    assert (
        most
        == CONSTANTS.base + 10_000 * (CONSTANTS.schedule + 50 * CONSTANTS.version) + 500_000 * CONSTANTS.row
    )


@pytest.mark.parametrize("row", documented())
def test_the_document_has_the_constants_and_the_examples(row: str) -> None:
    """`python -m benchmarks sizing` prints new constants; they belong into sizing/memory.py and the document."""
    assert row in _DOCUMENT.read_text()
