"""The guide in a real browser: keys, small screens, the theme, and a browser without scripts."""

import re

import pytest
from browser import Tab
from end_to_end.guide_in_browser import NARROW, PHONE, Broadcaster

from demo.delivery_service import DeliveryService

pytestmark = pytest.mark.end_to_end


def _focused_as_heard(reader: Tab) -> tuple[str, str]:
    """The name and the description that the browser gives a screen reader."""
    found = reader.call("Runtime.evaluate", expression="document.activeElement")["result"]["objectId"]
    (node,) = reader.call("Accessibility.getPartialAXTree", objectId=found, fetchRelatives=False)["nodes"]
    return node["name"]["value"], node["description"]["value"]


def test_the_grid_is_walked_by_keys(reader: Tab) -> None:
    """Arrows go in time and between services at the same time; Enter opens, Escape closes and gives the focus back.
    A screen reader says title and times of a programme, and the service to which an arrow has led.
    """
    sid = "document.activeElement.closest('.row')?.dataset.sid"
    at = "Number(document.activeElement.closest('.block')?.dataset.at)"
    reader.press("n")
    first, began = reader.evaluate(sid), reader.evaluate(at)

    reader.press("ArrowRight")
    later = reader.evaluate(at)
    reader.press("ArrowDown")
    below = (reader.evaluate(sid), reader.evaluate(at))
    heard = _focused_as_heard(reader)
    reader.press("ArrowUp")
    reader.press("ArrowLeft")
    back = (reader.evaluate(sid), reader.evaluate(at))
    reader.press("Enter")
    reader.wait_until("document.getElementById('broadcast').open")
    reader.press("Escape")
    reader.wait_until("!document.getElementById('broadcast').open")

    assert later == began + 30
    assert below == ("alder_three", later)
    # Other tests share the guide and give episodes other titles.
    assert re.fullmatch(r"The Lamp Hour\s+\d\d:\d\d to \d\d:\d\d \S.*", heard[0])
    assert heard[1] == "Alder Three"
    assert back == (first, began)
    assert (reader.evaluate(sid), reader.evaluate(at)) == (first, began)


def test_keys_lead_to_search_and_help(reader: Tab) -> None:
    """A slash goes to the search, where letters are letters; a question mark shows the keys."""
    reader.press("?")
    reader.wait_until("document.getElementById('keys').open")
    reader.press("Escape")
    # The focus leaves the dialog a moment after it is closed.
    reader.wait_until("!document.getElementById('keys').open && !document.activeElement.closest('dialog')")
    reader.press("/")

    reader.press("n")

    assert reader.evaluate("[document.activeElement.id, document.activeElement.value]") == ["search", "n"]


def test_the_grid_is_one_stop_of_the_tab_key(reader: Tab) -> None:
    """A reader who goes on with Tab need not pass hundreds of blocks."""
    assert reader.evaluate("document.querySelectorAll('.row[data-sid] a[tabindex=\"0\"]').length") == 1
    assert reader.evaluate("document.querySelectorAll('.row[data-sid] a:not([tabindex])').length") == 0


@pytest.mark.parametrize("size", [PHONE, NARROW])
@pytest.mark.parametrize("path", ["/guide", "/guide?q=evening", "/guide/alder_two/{today}", "/sign-in"])
def test_no_page_is_wider_than_a_phone(
    reader: Tab, service: DeliveryService, broadcaster: Broadcaster, path: str, size: tuple[int, int]
) -> None:
    """Nothing has to be scrolled sideways, at 390 pixels and at 320, which is 1280 at four times the size."""
    reader.resize(*size)
    reader.go(service.url + path.format(today=broadcaster.today))

    assert reader.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_phone_shows_now_and_next(reader: Tab, service: DeliveryService) -> None:
    """For each service the programme on air and the next one, one below the other."""
    reader.resize(*PHONE)
    reader.go(f"{service.url}/guide")

    shown = reader.evaluate(
        "[...document.querySelectorAll('[data-sid=alder_one] .block')].filter(b => b.offsetParent !== null)"
        ".map(b => [b.classList.contains('is-on-air'), b.getBoundingClientRect().left])"
    )

    assert [is_on_air for is_on_air, _ in shown[:1]] == [True]
    assert 1 <= len(shown) <= 2
    assert len({left for _, left in shown}) == 1


def test_the_theme_follows_the_system_until_one_is_chosen(reader: Tab, service: DeliveryService) -> None:
    """A choice is remembered, also by the next page, and wins over the system's."""
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = reader.evaluate(ground)
    reader.prefer(prefers_color_scheme="dark")
    dark = reader.evaluate(ground)

    reader.evaluate("document.getElementById('theme').click()")
    reader.go(f"{service.url}/guide")

    assert light != dark
    assert reader.evaluate(ground) == light
    assert reader.evaluate("document.getElementById('theme-name').textContent") == "light"


def test_without_scripts_everything_is_there(
    tab: Tab, service: DeliveryService, broadcaster: Broadcaster
) -> None:
    """Signing in, the grid and the search work by forms and links alone, and blocks are links that Tab reaches."""
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.go(f"{service.url}/sign-in")
    tab.evaluate(f"document.getElementById('key').value = '{broadcaster.reader.text}'")
    tab.evaluate("document.getElementById('sign-in').submit()")
    tab.wait_until("location.pathname == '/guide' && document.readyState == 'complete'")

    links = tab.evaluate("document.querySelectorAll('.row[data-sid] .block a:not([tabindex])').length")
    tab.go(f"{service.url}/guide?q=evening")

    assert links > 40
    assert tab.evaluate("document.querySelectorAll('.hits li').length") > 10
