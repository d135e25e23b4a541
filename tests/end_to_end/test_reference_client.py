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
    publication the new title. The client asks for further episodes too, and cannot read any answer to that.
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
    client.wait_until("document.querySelector('#more_episodes').innerText.includes('More episodes')")
    asked = client.evaluate(
        "performance.getEntriesByType('resource').filter(one => one.name.includes('/dvb-i/'))"
        ".map(one => `${one.name.split('/').pop().split('?')[0]} ${one.responseStatus}`)"
    )
    assert set(asked) == {"services.xml 200", "schedule 200", "programme 200", "more-episodes 200"}
    _picture(client, "reference-client-programme")

    broadcaster.retitle_brand("The Brighter Lamp")
    client.evaluate("closeProgramInfo(); closeEpg()")
    client.wait_until(
        "(epg.channels.forEach(channel => { channel.programs = null; channel.epg_element = null }), showEpg(),"
        " new Promise(shown => setTimeout(() => shown("
        "document.querySelector('.channelCol')?.innerText.includes('The Brighter Lamp')), 1000)))"
    )
    _picture(client, "reference-client-changed")
