"""The documentation site builds, its links lead somewhere, and its generated tables are up to date."""

import re
from pathlib import Path

import pytest
from delivery_stage import DeliveryStage

from docs.site.__main__ import build
from docs.site.generated import fill_tables
from docs.site.links import problems_of
from docs.site.pages import REPOSITORY, DeadLinkError, pages, rewrite_links


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Every link and every heading that a page links to exists, and nothing is fetched from another host."""
    assert build(tmp_path / "site", DeliveryStage().application.openapi()) == []
    assert (tmp_path / "site/html/reference/openapi.json").is_file()


@pytest.mark.parametrize("page", sorted(pages()))
def test_generated_tables_are_up_to_date(page: str) -> None:
    """The tables are those that ``python -m docs.site --write`` makes of the code."""
    text = (REPOSITORY / page).read_text()

    is_current = fill_tables(text) == text
    assert is_current, f"{page}: run .venv/bin/python -m docs.site --write, and commit it"
    assert text.count("<!-- generated:") == text.count("<!-- end -->")


def test_link_to_a_missing_file_is_an_error() -> None:
    """The page and the link are named."""
    with pytest.raises(DeadLinkError, match=r"docs/index\.md: missing\.md"):
        rewrite_links("[gone](missing.md)", "docs/index.md", pages())


def test_links_to_pages_outside_the_folder_lead_to_their_place_on_the_site() -> None:
    """ARCHITECTURE.md is a page of the site; a link to source code is only text there."""
    text = "[all](../ARCHITECTURE.md#flow), [code](../pyproject.toml), `[not](a-link)`"

    assert rewrite_links(text, "docs/index.md", pages()) == (
        "[all](explanation/architecture.md#flow), code, `[not](a-link)`"
    )


def test_resources_of_other_hosts_are_a_problem(tmp_path: Path) -> None:
    """A font or a script from elsewhere, and a link to a page that is not there."""
    (tmp_path / "index.html").write_text(
        '<script src="https://example.test/a.js"></script><a href="b.html">b</a><a href="#c">c</a>'
    )

    assert problems_of(tmp_path) == [
        "index.html fetches https://example.test/a.js",
        "index.html links to b.html, which is not there",
        "index.html links to #c, which has no such heading",
    ]


def test_every_decision_is_in_the_index() -> None:
    """The index of decision records has a row for each, in order."""
    records = sorted(path.name for path in (REPOSITORY / "docs/adr").glob("0*.md"))

    listed = re.findall(
        r"^\| \[\d+\]\(([^)]+)\)", (REPOSITORY / "docs/adr/index.md").read_text(), re.MULTILINE
    )

    assert listed == records


def test_every_page_is_in_the_navigation() -> None:
    """Only the README, which repeats the first page, and the decision records are reached by links alone."""
    configured = (REPOSITORY / "docs/site/zensical.toml").read_text()

    lost = [page for page in pages().values() if f'"{page}"' not in configured]

    assert [page for page in lost if not page.startswith("adr/0")] == ["readme.md"]
