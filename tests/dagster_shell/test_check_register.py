"""Every check has an asset, a description and a row in the document; each failure names the forgotten step."""

from pathlib import Path

import pytest

from schedules_pipeline.assets import schedule_checks
from schedules_pipeline.overall_checks import ASSET_OF_CHECK
from schedules_pipeline.publishing.check_schedules import CheckName

_DOCUMENT = Path(__file__).parents[2] / "docs/engineers/dagster.md"


@pytest.mark.parametrize("name", CheckName)
def test_every_check_is_registered(name: CheckName) -> None:
    """Dagster shows it on an asset, with a sentence about it."""
    assert name in ASSET_OF_CHECK, f"recording.py: ASSET_OF_CHECK lacks {name.name}"
    assert name in schedule_checks._DESCRIPTIONS, (
        f"assets/schedule_checks.py: _DESCRIPTIONS lacks {name.name}"
    )


@pytest.mark.parametrize("name", CheckName)
def test_every_check_is_documented(name: CheckName) -> None:
    """The table of checks has its row, with the asset that the check belongs to."""
    assert name in ASSET_OF_CHECK, f"recording.py: ASSET_OF_CHECK lacks {name.name}"
    asset = ASSET_OF_CHECK[name].path[-1]

    assert f"| `{name}` | `{asset}` |" in _DOCUMENT.read_text(), (
        f"docs/engineers/dagster.md, Checks: no row begins with | `{name}` | `{asset}` |"
    )
