"""DVB's reference client in a real browser shows the published guide, and what changes in it."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser import Tab
from end_to_end.guide_in_browser import SIDS, Broadcaster, serving
from televisions.reference_client import CLIENT_VARIABLE, page_of, serving_client

from demo.delivery_service import DeliveryService
from schedules_pipeline.partners.partner import Partner

pytestmark = [
    pytest.mark.long,
    pytest.mark.end_to_end,
    pytest.mark.skipif(
        CLIENT_VARIABLE not in os.environ, reason=f"{CLIENT_VARIABLE} names no directory of the client"
    ),
]

_NAMES = ["Alder One", "Alder Three", "Alder Two", "Birch Radio"]

_ASKED = (
    "[...new Set(performance.getEntriesByType('resource').filter(one => one.name.includes('/dvb-i/'))"
    ".map(one => `${new URL(one.name).pathname.split('/').pop()} ${one.responseStatus}`))].sort()"
)
"""What the client has asked of the service, and the statuses of the answers."""

_TURNED_UNTIL = """(() => {{
  if ($.active) return false;
  if (document.querySelector('.channelCol .current')?.innerText.includes('{title}')) return true;
  nextDay();
  previousDay();
  return false;
}})()"""
"""True once the present programme has the title; otherwise the client turns to the next day and back, so that it asks
again.
"""


@pytest.fixture
def televisions(
    broadcaster: Broadcaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DeliveryService]:
    """A service whose schedules are public, and playable as far as the client knows."""
    told = {sid: {"dash": "http://127.0.0.1:9999/none.mpd"} for sid in SIDS}
    monkeypatch.setenv("SCHEDULES_TELEVISION_SERVICES", json.dumps(told))
    partner = Partner("televisions", datetime.now(UTC), is_preview=True, is_public=True)
    assert broadcaster.pipeline.store.partners.create(partner)
    with serving(broadcaster, tmp_path) as service:
        yield service


@pytest.fixture
def regional(
    broadcaster: Broadcaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DeliveryService]:
    """A service whose first and last services are of two regions, and have the same number."""
    told = {
        SIDS[0]: {"number": 1, "regions": ["north"]},
        SIDS[-1]: {"number": 1, "regions": ["south"]},
    }
    regions = {name: {"name": f"The {name.title()}", "countries": "GBR"} for name in ("north", "south")}
    monkeypatch.setenv("SCHEDULES_TELEVISION_SERVICES", json.dumps(told))
    monkeypatch.setenv("SCHEDULES_TELEVISION_REGIONS", json.dumps(regions))
    partner = Partner("regional", datetime.now(UTC), is_preview=True, is_public=True)
    assert broadcaster.pipeline.store.partners.create(partner)
    with serving(broadcaster, tmp_path) as service:
        yield service


@pytest.fixture
def client(tab: Tab, televisions: DeliveryService) -> Iterator[Tab]:
    """The client after its welcome, with the list of services."""
    with serving_client(os.environ[CLIENT_VARIABLE]) as address:
        tab.go(page_of(address, f"{televisions.url}/dvb-i/televisions/services.xml"))
        tab.wait_until("document.querySelector('#modal').style.display != 'none'")
        tab.evaluate("modalClosed()")
        tab.wait_until("document.querySelectorAll('#channel_list li').length == 4")
        yield tab


def _picture(tab: Tab, name: str) -> None:
    """For people: into the directory that ``SCHEDULES_PICTURES`` names."""
    if directory := os.environ.get("SCHEDULES_PICTURES"):
        tab.picture(Path(directory) / f"{name}.png")


def _titles(tab: Tab, column: int = 0) -> list[str]:
    script = f"[...document.querySelectorAll('.channelCol')[{column}].querySelectorAll('.text-truncate')]"
    titles: list[str] = tab.evaluate(f"{script}.map(title => title.innerText.trim())")
    return titles[1:]


def test_the_client_lists_draws_opens_and_follows(client: Tab, broadcaster: Broadcaster) -> None:
    """The services by name, what is on now and next, a day of three services, a programme with its texts; and after a
    publication the new title. The client asks for further episodes too: its parser reads them, but is not given the
    answer as text, because the client misspells ``dataType``.
    """
    names = client.evaluate("[...document.querySelectorAll('#channel_list .chname')].map(n => n.innerText)")
    assert names == _NAMES
    client.wait_until("document.querySelector('.menuitem_now')?.innerText.includes('Now: The Lamp Hour')")
    assert "Next: The Lamp Hour" in client.evaluate("document.querySelector('.menuitem_next').innerText")
    _picture(client, "reference-client-services")

    client.evaluate("showEpg()")
    client.wait_until("document.querySelectorAll('.channelCol .list-group-item').length > 100")
    assert "The Lamp Hour" in _titles(client)
    _picture(client, "reference-client-guide")

    client.evaluate("document.querySelector('.channelCol .current').click()")
    client.wait_until("document.querySelector('#description').innerText.includes('What happens in')")
    client.wait_until("document.querySelector('#more_episodes').innerText.includes('More Episodes')")
    client.wait_until(f"{_ASKED}.length == 4")
    assert client.evaluate(_ASKED) == [
        *("more-episodes 200", "programme 200", "schedule 200", "services.xml 200")
    ]
    further = (
        "fetch(channels[0].moreEpisodesURI + '?pid=' + encodeURIComponent(channels[0].programs[0].programId))"
    )
    read = "channels[0].parseSchedule(text).map(episode => episode.getTitle())"
    assert "The Lamp Hour" in client.evaluate(f"{further}.then(answer => answer.text()).then(text => {read})")
    _picture(client, "reference-client-programme")

    broadcaster.retitle_brand("The Brighter Lamp")
    client.evaluate("closeProgramInfo()")
    client.wait_until(_TURNED_UNTIL.format(title="The Brighter Lamp"))
    _picture(client, "reference-client-changed")


def test_the_client_lists_the_services_of_a_region(tab: Tab, regional: DeliveryService) -> None:
    """It asks for the region, and shows that region's services and those of none, with their numbers."""
    with serving_client(os.environ[CLIENT_VARIABLE]) as address:
        tab.go(page_of(address, f"{regional.url}/dvb-i/regional/services.xml"))
        tab.wait_until("document.querySelector('#modal').style.display != 'none'")
        tab.evaluate("modalClosed()")
        tab.wait_until("document.querySelectorAll('#regions a').length == 2")
        offered = tab.evaluate("[...document.querySelectorAll('#regions a')].map(region => region.innerText)")
        tab.evaluate("[...document.querySelectorAll('#regions a')][1].click()")
        tab.wait_until("document.querySelectorAll('#channel_list li').length == 3")
        listed = tab.evaluate(
            "[...document.querySelectorAll('#channel_list li')].map(one => one.innerText.replace(/\\s+/g, ' ').trim())"
        )
        _picture(tab, "reference-client-regions")

    assert offered == ["The North", "The South"]
    assert listed == ["1 Birch Radio", "2 Alder Three", "3 Alder Two"]
