"""The guide in a real browser: an accessibility checker finds nothing on any page."""

import importlib.util
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser import Tab
from builders import a_hold
from end_to_end.guide_in_browser import DESKTOP, PHONE, Broadcaster

from demo.delivery_service import DeliveryService
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.ports import Comparison, Verdict

pytestmark = pytest.mark.end_to_end

_TWO = Sid("alder_two")
_OPEN_EVERYTHING = "document.querySelectorAll('details').forEach(details => { details.open = true })"
_MARK_CHANGED = (
    "document.querySelectorAll('.is-near').forEach(block => block.classList.add('changed'));"
    # The layer that dims the past lies over the blocks, and keeps contrasts from being measured.
    "document.querySelectorAll('.layers').forEach(layers => { layers.style.display = 'none' });"
    "document.querySelector('.block.is-near a').focus()"
)
_OPEN_BROADCAST = (
    "document.querySelector('.block.is-near a').click();"
    "new Promise(done => { const wait = () => document.getElementById('broadcast').open ? done() : "
    "setTimeout(wait, 20); wait() })"
)
_VIEWS = (
    ("/sign-in", "true", "html"),
    ("/guide?q=evening", "true", "html"),
    ("/guide/none/2020-01-01", "true", "html"),
    ("/guide?named=none&group=tv", "true", "html"),
    ("/guide?date=2020-01-01", "true", "html"),
    ("/guide/alder_two/{today}", _OPEN_EVERYTHING, "html"),
    ("/guide/alder_one/{today}/versions", _OPEN_EVERYTHING, "html"),
    ("/guide", f"{_OPEN_EVERYTHING};{_MARK_CHANGED}", "html"),
    ("/guide", _OPEN_BROADCAST, "#broadcast"),
    ("/guide", "document.getElementById('keys').showModal()", "#keys"),
)
"""An address, what a reader does there, and the part that is checked."""


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


def _violations(tab: Tab, part: str, rules: str) -> list[str]:
    found: list[str] = tab.evaluate(
        f"axe.run('{part}', {{resultTypes: ['violations'] {rules}}}).then(report => report.violations.flatMap("
        "rule => rule.nodes.map(node => `${rule.id}: ${node.html} ${node.failureSummary}`)))"
    )
    return found


def _complaints(tab: Tab, where: str, part: str) -> list[str]:
    """On desktop and phone; of the dark theme the contrasts, which alone depend on it."""
    found = []
    for size in (DESKTOP, PHONE):
        tab.resize(*size)
        for scheme, rules in (("light", ""), ("dark", ", runOnly: ['color-contrast']")):
            tab.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            found += [f"{where} {size} {scheme}: {complaint}" for complaint in _violations(tab, part, rules)]
    return found


def test_axe_finds_nothing_to_complain_of(
    reader: Tab, service: DeliveryService, broadcaster: Broadcaster, axe: str
) -> None:
    """On every page, in both themes, on desktop and phone, with everything opened that can be opened, with changed
    blocks and with both dialogs.
    """
    store, today = broadcaster.pipeline.store, broadcaster.today
    two = ScheduleKey(_TWO, today)
    store.losses.hold({two: a_hold(two)})
    differences = (("w0000001", "title", "ours", "theirs"),)
    store.comparisons.keep({two: Comparison(1, Verdict.DIFFERS, str(datetime.now(UTC)), "", 1, differences)})
    broadcaster.retitle("p0000002", "A Title for the Checker")
    reader.call("Page.addScriptToEvaluateOnNewDocument", source=axe)

    found = []
    for path, prepare, part in _VIEWS:
        reader.go(service.url + path.format(today=today))
        reader.evaluate(prepare)
        found += _complaints(reader, path, part)

    assert found == []
