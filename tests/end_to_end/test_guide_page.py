"""The guide in a real browser: what the reader sees, and how it follows the feed.

Belongs here: what only a browser can tell. Does not belong here: the contents of a page (``tests/delivery``).
"""

from datetime import timedelta
from pathlib import Path

import pytest
from browser import Tab
from end_to_end.guide_in_browser import ONE, SIDS, Broadcaster, enter, serving, wait_until_following

from demo.delivery_service import DeliveryService
from demo.servers import find_free_port

pytestmark = pytest.mark.end_to_end


def test_a_link_with_a_key_leads_to_the_grid(
    reader: Tab, service: DeliveryService, broadcaster: Broadcaster
) -> None:
    """The key is in no address that the service sees, scripts cannot read it, and every service has its row."""
    rows = reader.evaluate("[...document.querySelectorAll('.row[data-sid]')].map(row => row.dataset.sid)")

    assert rows == sorted(SIDS)
    assert reader.evaluate("document.cookie") == ""
    assert broadcaster.reader.text not in reader.evaluate("location.href")
    assert not [url for url in reader.requested if broadcaster.reader.text in url.partition("#")[0]]
    assert broadcaster.reader.text not in service.log_path.read_text()


def test_nothing_comes_from_elsewhere_and_nothing_is_complained_of(
    reader: Tab, service: DeliveryService
) -> None:
    """Every request goes to the service itself, and the console is silent about the policy and everything else."""
    reader.go(f"{service.url}/guide?q=evening")

    # The browser's own controls bring their pictures with them, as data.
    assert {url for url in reader.requested if not url.startswith((service.url, "about:", "data:"))} == set()
    assert reader.problems == []


def test_the_line_is_at_now_and_what_is_on_air_lies_under_it(reader: Tab) -> None:
    """The line crosses a block on air, and both are in view when the page opens."""
    places = reader.evaluate(
        """(() => {
          const box = element => element.getBoundingClientRect();
          const line = box(document.getElementById('now')), view = box(document.getElementById('scroller'));
          const air = box(document.querySelector('[data-sid=alder_one] .is-on-air'));
          return [view.left <= line.left && line.right <= view.right, air.left <= line.right && line.left <= air.right];
        })()"""
    )

    assert places == [True, True]


def test_blocks_stand_by_their_time(reader: Tab) -> None:
    """A half hour is half as wide as an hour of the axis, and begins at its tick."""
    gaps = reader.evaluate(
        """(() => {
          const left = element => element.getBoundingClientRect().left;
          const ticks = [...document.querySelectorAll('.tick')], row = document.querySelector('[data-sid=alder_one]');
          const blocks = [...row.querySelectorAll('.block')];
          const hour = left(ticks[3]) - left(ticks[2]);
          return [left(blocks[4]) - left(ticks[2]), blocks[4].getBoundingClientRect().width - hour / 2];
        })()"""
    )

    assert gaps == pytest.approx([0, 0], abs=1)


def test_a_programme_that_began_left_of_the_view_keeps_its_title_there(
    reader: Tab, service: DeliveryService
) -> None:
    """Of the programmes of a row only the one that the edge crosses is marked. The one here lasts from 11:00 to
    12:00.
    """
    reader.go(f"{service.url}/guide?from=06:00")
    reader.evaluate(
        "document.getElementById('scroller').scrollLeft = "
        "document.querySelector('.axis .strip').offsetWidth * (5 * 60 + 10)"
        " / Number(document.getElementById('grid').dataset.minutes)"
    )
    reader.wait_until("document.querySelector('[data-sid=alder_two] .is-cut')?.dataset.at == 300")

    titles = reader.evaluate(
        """[...document.querySelectorAll('[data-sid=alder_two] .is-cut')].map(block =>
          block.querySelector('.title').getBoundingClientRect().left
            - document.querySelector('[data-sid=alder_two] .head').getBoundingClientRect().right)"""
    )

    assert len(titles) == 1
    assert 0 < titles[0] < 20


def test_what_is_out_of_order_is_seen_without_colour(reader: Tab, service: DeliveryService) -> None:
    """A gap, an overlap, a blanked and an unknown programme each say so in words; marks are letters."""
    reader.go(f"{service.url}/guide?from=06:00")
    text = reader.evaluate("document.querySelector('[data-sid=alder_two]').innerText")

    for words in ("nothing scheduled", "overlaps", "Blanked", "Unknown programme p0009999"):
        assert words in text
    assert "audio-described" in text


def test_an_edit_appears_by_itself(reader: Tab, broadcaster: Broadcaster) -> None:
    """Without loading the page again: marked, said to screen readers, listed among the changes; focus stays."""
    reader.evaluate("window.sameDocument = true")
    reader.evaluate("document.querySelector('[data-sid=alder_one] .block a').focus()")
    focused = "document.activeElement.closest('.block').dataset.pid"
    before = reader.evaluate(focused)

    broadcaster.retitle("p0000003", "A Title That Was Not There Before")

    reader.wait_until(
        "[...document.querySelectorAll('[data-sid=alder_one] .block.changed')]"
        ".some(block => block.textContent.includes('A Title That Was Not There Before'))"
    )
    reader.wait_until("document.getElementById('announcer').textContent.includes('changed')")
    reader.wait_until(
        "document.querySelector('#changes li.new')?.textContent.includes('catalogue p0000003 (title,')"
    )
    assert reader.evaluate("document.querySelector('[data-sid=alder_one] .stamp').textContent").startswith(
        "changed"
    )
    assert reader.evaluate("window.sameDocument") is True
    assert reader.evaluate(focused) == before
    assert reader.problems == []


def test_an_open_schedule_changes_by_itself(
    reader: Tab, service: DeliveryService, broadcaster: Broadcaster
) -> None:
    """The schedule's page shows the new version, and marks the changes."""
    reader.go(f"{service.url}/guide/{ONE}/{broadcaster.today}")
    wait_until_following(reader)

    broadcaster.retitle("p0000005", "Renamed While It Was Read")

    reader.wait_until(
        "document.querySelector('.broadcast.changed')?.textContent.includes('Renamed While It Was Read')"
    )
    assert reader.problems == []


def test_what_was_missed_is_fetched(tab: Tab, broadcaster: Broadcaster, tmp_path: Path) -> None:
    """During an outage the page says so; afterwards it shows the changes made during it."""
    port = find_free_port()
    with serving(broadcaster, tmp_path / "before", port) as service:
        enter(tab, service, broadcaster)
        tab.evaluate("window.sameDocument = true")
    tab.wait_until("document.getElementById('state').dataset.state == 'lost'")
    broadcaster.retitle("p0000006", "Published While Nobody Served")

    with serving(broadcaster, tmp_path / "after", port):
        wait_until_following(tab)
        tab.wait_until(
            "[...document.querySelectorAll('.block.changed')]"
            ".some(block => block.textContent.includes('Published While Nobody Served'))"
        )

    assert tab.evaluate("window.sameDocument") is True


def test_the_first_schedule_of_a_day_appears_by_itself(
    reader: Tab, service: DeliveryService, broadcaster: Broadcaster
) -> None:
    """A page without rows loads again when it would have some; the changes of other days are listed beside it."""
    day = broadcaster.today + timedelta(days=20)
    reader.go(f"{service.url}/guide?date={day}")
    wait_until_following(reader)
    reader.evaluate("window.sameDocument = true")

    broadcaster.retitle("p0000007", "Late Evening 7")
    reader.wait_until("document.getElementById('changes').textContent.includes('catalogue p0000007')")
    stayed = reader.evaluate("window.sameDocument && Boolean(document.getElementById('empty'))")
    broadcaster.publish_day(day)

    reader.wait_until("document.querySelector('[data-sid=alder_one] .block')")
    assert stayed is True
    assert reader.evaluate("document.getElementById('empty')") is None


@pytest.mark.parametrize("path", ["/guide?named=alder", "/guide/alder_one/{today}"])
def test_an_open_page_whose_session_has_ended_leads_through_signing_in_and_back(
    reader: Tab, service: DeliveryService, broadcaster: Broadcaster, path: str
) -> None:
    """No part of the sign-in page is shown in place of programmes."""
    address = path.format(today=broadcaster.today)
    reader.go(service.url + address)
    wait_until_following(reader)
    reader.call("Network.clearBrowserCookies")

    broadcaster.retitle("p0000001", f"{len(address)} times Evening 1")
    reader.wait_until("location.pathname == '/sign-in' && document.readyState == 'complete'")
    reader.evaluate(f"document.getElementById('key').value = '{broadcaster.reader.text}'")
    reader.evaluate("document.getElementById('sign-in').submit()")

    reader.wait_until(f"location.pathname + location.search == '{address}'")
    wait_until_following(reader)


def test_a_link_from_another_site_leads_to_its_place(
    reader: Tab, service: DeliveryService, broadcaster: Broadcaster
) -> None:
    """The cookie does not come along with such a link, and the reader need not sign in again. Without a session the
    place is found after signing in.
    """
    place = f"/guide/alder_one/{broadcaster.today}/versions#feed-row"
    arrived = f"location.href == '{service.url}{place}' && document.readyState == 'complete'"
    elsewhere = service.url.replace("127.0.0.1", "localhost")
    reader.go(f"{elsewhere}/sign-in")
    reader.evaluate(f"location.assign('{service.url}{place}')")
    reader.wait_until(arrived)

    reader.call("Network.clearBrowserCookies")
    reader.go(f"{elsewhere}/sign-in")
    reader.evaluate(f"location.assign('{service.url}{place}')")
    reader.wait_until("document.getElementById('to')?.value.endsWith('#feed-row')")
    reader.evaluate(f"document.getElementById('key').value = '{broadcaster.reader.text}'")
    reader.evaluate("document.getElementById('sign-in').submit()")

    reader.wait_until(arrived)
    assert [url for url in reader.requested if "/sign-in?to=" in url]
