"""The guide in a real browser: an accessibility checker finds nothing on any page."""

import importlib.util
import os
from pathlib import Path

import pytest
from browser import Tab
from end_to_end.guide_in_browser import (
    DESKTOP,
    PHONE,
    Broadcaster,
)

from demo.delivery_service import DeliveryService

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def axe() -> str:
    """The accessibility checker's script, from the package that carries it; its browser driver is not used."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        reason = "axe is not installed: it is in axe-playwright-python, of the development requirements"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return (Path(found.origin).parent / "axe.min.js").read_text()


def _violations(tab: Tab, axe: str) -> list[str]:
    # The layer that dims the past lies over the blocks, and keeps contrasts from being measured.
    tab.evaluate("document.querySelectorAll('.layers').forEach(layers => { layers.style.display = 'none' })")
    tab.evaluate(f"{axe}; true")
    found: list[str] = tab.evaluate(
        "axe.run({resultTypes: ['violations']}).then(report => report.violations.flatMap("
        "rule => rule.nodes.map(node => `${rule.id}: ${node.html} ${node.failureSummary}`)))"
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_axe_finds_nothing_to_complain_of(
    reader: Tab,
    service: DeliveryService,
    broadcaster: Broadcaster,
    axe: str,
    scheme: str,
    size: tuple[int, int],
) -> None:
    """On every page, in both themes, on desktop and phone, with changed blocks and with both dialogs open."""
    reader.resize(*size)
    reader.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    found = []
    for path in (
        "/sign-in",
        "/guide?q=evening",
        f"/guide/alder_two/{broadcaster.today}",
        "/guide/none/2020-01-01",
        "/docs",
        "/problems/too-many-requests",
    ):
        reader.go(service.url + path)
        found += _violations(reader, axe)
    reader.go(f"{service.url}/guide")
    reader.evaluate("document.querySelectorAll('.is-near').forEach(block => block.classList.add('changed'))")
    found += _violations(reader, axe)
    reader.evaluate("document.querySelector('.block.is-near a').click()")
    reader.wait_until("document.getElementById('broadcast').open")
    found += _violations(reader, axe)
    reader.press("Escape")
    reader.press("?")
    found += _violations(reader, axe)

    assert found == []
