"""The documents name every format that partners can ask for."""

from pathlib import Path

import pytest

from schedules_pipeline.connections import guide_formats_from
from schedules_pipeline.documents.delivered_file import FORMAT_NAMES
from schedules_pipeline.documents.guide_formats import GuideFormat
from schedules_pipeline.settings import Settings

_DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("each", guide_formats_from(Settings()), ids=lambda each: each.name)
def test_every_format_is_in_the_table_of_requests(each: GuideFormat) -> None:
    """Its row has its name and every media type that selects it."""
    lines = (_DOCS / "reference/api.md").read_text().splitlines()

    rows = [line for line in lines if line.startswith(f"| `{each.name}` |")]

    assert len(rows) == 1, f"docs/reference/api.md, Formats: no row for {each.name!r}"
    lacking = [media_type for media_type in each.requested_as if f"`{media_type}`" not in rows[0]]
    assert not lacking, f"docs/reference/api.md, Formats: the row of {each.name!r} lacks {lacking}"


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_every_format_of_files_is_documented(name: str) -> None:
    """The operator finds it beside ``--format``, and the subscriber among the names of files."""
    commands = (_DOCS / "reference/cli.md").read_text().splitlines()
    (option,) = [line for line in commands if line.startswith("- `--format NAME`")]

    assert f"`{name}`" in option, (
        f"docs/reference/cli.md, push register-files: --format does not list {name!r}"
    )
    assert f"<date>.{name}.gz`" in (_DOCS / "partners/webhooks.md").read_text(), (
        f"docs/partners/webhooks.md names no file <date>.{name}.gz"
    )
