"""The guide in a real browser: the service as its own process over a real Redis, and a reader who looks at it.

Belongs here: what only a browser can tell: what is seen, what the keyboard does, what changes by itself, and that the
policy against inline scripts and styles is kept. Does not belong here: what a page holds (``tests/delivery``).
"""

import importlib.util
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from browser import Browser, Tab, find_chromium
from fakes import FakeClock, FakeUpstreams, fake_upstreams, pipeline_over
from pydantic import SecretStr

from demo.delivery_service import DeliveryService
from demo.servers import RedisServer, find_free_port
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_store
from schedules_pipeline.delivery.guide.grid import day_of
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.partners.partner import RANDOM_BYTES, IssuedKey, Partner, issue_key
from schedules_pipeline.settings import Settings

pytestmark = pytest.mark.end_to_end

_CALENDAR = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
_SIDS = tuple(map(Sid, ("alder_one", "alder_two", "alder_three", "birch_radio")))
_ONE = _SIDS[0]
_HALF_AN_HOUR = timedelta(minutes=30)
_BRAND = "b0000001"
_PATIENCE_SECONDS = 30.0
_PHONE, _NARROW, _DESKTOP = (390, 844), (320, 700), (1440, 900)


class _Now(FakeClock):
    """The real time: the browser shows what is on air now."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


class Broadcaster:
    """Four services of half hours, published through the real workflows into a real Redis. The second has a gap, an
    overlap, a blanked showing and an unknown episode.
    """

    def __init__(self, redis: RedisServer) -> None:
        self.redis_url = redis.url
        clock = _Now()
        self.today = day_of(_CALENDAR, _ONE, clock())
        self.upstreams: FakeUpstreams = fake_upstreams(clock, Random(0))
        self.pipeline: Pipeline = pipeline_over(
            build_store(Settings(redis_url=SecretStr(redis.url))), self.upstreams, clock
        )
        self.write("brand", _BRAND, "The Lamp Hour")
        for number in range(8):
            self.write("episode", f"p000000{number}", f"Evening {number}", parent_pid=_BRAND)
        keys = [self._list(sid, self.today + timedelta(days=n)) for sid in _SIDS for n in (-1, 0, 1)]
        self.pipeline.publisher.rebuild_from_sources(keys, self._cause("all", Origin.COLDSTART))
        self.reader = self._admit()

    def write(self, kind: str, pid: str, title: str, **fields: str) -> None:
        synopses = {"short": f"What happens in {title}.", "medium": "", "long": ""}
        document = {"pid": pid, "type": kind, "title": title, "synopses": synopses, **fields}
        self.upstreams.catalogue_source.documents[Pid(pid)] = json.dumps(document).encode()

    def retitle(self, pid: str, title: str) -> None:
        """What an editor does: the schedules that show it are published anew."""
        self.write("episode", pid, title, parent_pid=_BRAND)
        self.pipeline.follower.follow({Pid(pid): self._cause(pid, Origin.CATALOGUE)})
        self.pipeline.publisher.publish_all()

    def _list(self, sid: Sid, on: date) -> ScheduleKey:
        key = ScheduleKey(sid, on)
        window = _CALENDAR.window(key)
        count = window.length // _HALF_AN_HOUR if sid != "birch_radio" else 48
        broadcasts = [self._broadcast(key, n, window.start + n * _HALF_AN_HOUR) for n in range(count)]
        if sid == "alder_two":
            _disturb(broadcasts)
        document = {
            "sid": sid,
            "date": str(on),
            "published_at": "2026-01-01T00:00:00Z",
            "broadcasts": broadcasts,
        }
        self.upstreams.schedule_source.put(key, json.dumps(document).encode())
        return key

    def _broadcast(self, key: ScheduleKey, number: int, start: datetime) -> dict[str, object]:
        return {
            "broadcast_pid": f"w{_SIDS.index(key.sid)}{key.date:%y%m%d}{number:03}",
            "episode_pid": f"p000000{number % 8}",
            "version_pid": "v0000001",
            "start": start.isoformat(),
            "end": (start + _HALF_AN_HOUR).isoformat(),
            "is_repeat": number % 3 == 0,
            "is_signed": number % 5 == 0,
            "is_audio_described": number % 4 == 0,
        }

    def _cause(self, subject: str, origin: Origin) -> Cause:
        return Cause("event-1", origin, subject, datetime.now(UTC), ("title",))

    def _admit(self) -> IssuedKey:
        now = datetime.now(UTC)
        issued = issue_key(os.urandom(RANDOM_BYTES), now)
        partner = Partner("operator", now, is_operator=True, requests_per_minute=6_000, keys=(issued.key,))
        assert self.pipeline.store.partners.create(partner)
        return issued


def _disturb(broadcasts: list[dict[str, object]]) -> None:
    del broadcasts[4:6]
    broadcasts[8]["end"] = broadcasts[9]["end"]
    broadcasts[10]["is_blanked"] = True
    broadcasts[12]["episode_pid"] = "p0009999"


@pytest.fixture(scope="module")
def broadcaster(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broadcaster]:
    with RedisServer(tmp_path_factory.mktemp("redis"), executable=redis_executable) as redis:
        yield Broadcaster(redis)


@contextmanager
def _serving(broadcaster: Broadcaster, directory: Path, port: int | None = None) -> Iterator[DeliveryService]:
    """The service, as soon as it knows the reader's key."""
    environment = {**os.environ, "SCHEDULES_REDIS_URL": broadcaster.redis_url}
    with DeliveryService(directory, environment, port) as service:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not service.admits(broadcaster.reader.text):
            assert time.monotonic() < deadline, service.log_path.read_text()
            time.sleep(0.05)
        yield service


@pytest.fixture(scope="module")
def service(broadcaster: Broadcaster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeliveryService]:
    with _serving(broadcaster, tmp_path_factory.mktemp("delivery")) as service:
        yield service


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(find_chromium(), tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """A reader who has never been here."""
    with browser.tab() as tab:
        tab.resize(*_DESKTOP)
        tab.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        yield tab


@pytest.fixture
def reader(tab: Tab, service: DeliveryService, broadcaster: Broadcaster) -> Tab:
    """One who has signed in by a link, and looks at the guide, which follows the feed."""
    _enter(tab, service, broadcaster)
    return tab


def _enter(tab: Tab, service: DeliveryService, broadcaster: Broadcaster) -> None:
    tab.go(f"{service.url}/sign-in#key={broadcaster.reader.text}")
    tab.wait_until("location.pathname == '/guide' && document.readyState == 'complete'")
    _wait_until_following(tab)


def _wait_until_following(tab: Tab) -> None:
    tab.wait_until("document.getElementById('state')?.dataset.state == 'live'")


def test_a_link_with_a_key_leads_to_the_grid(
    reader: Tab, service: DeliveryService, broadcaster: Broadcaster
) -> None:
    """The key is in no address that the service sees, scripts cannot read it, and every service has its row."""
    rows = reader.evaluate("[...document.querySelectorAll('.row[data-sid]')].map(row => row.dataset.sid)")

    assert rows == sorted(_SIDS)
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


def test_what_is_out_of_order_is_seen_without_colour(reader: Tab) -> None:
    """A gap, an overlap, a blanked and an unknown programme each say so in words; marks are letters."""
    text = reader.evaluate("document.querySelector('[data-sid=alder_two]').innerText")

    for words in ("nothing scheduled", "overlaps", "Blanked", "Unknown programme p0009999"):
        assert words in text
    assert (
        reader.evaluate("document.querySelector('.mark-described').getAttribute('aria-label')")
        == "audio-described"
    )


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
    """Its page takes over the new version, and marks what is new."""
    reader.go(f"{service.url}/guide/{_ONE}/{broadcaster.today}")
    _wait_until_following(reader)

    broadcaster.retitle("p0000005", "Renamed While It Was Read")

    reader.wait_until(
        "document.querySelector('.broadcast.changed')?.textContent.includes('Renamed While It Was Read')"
    )
    assert reader.problems == []


def test_the_grid_is_walked_by_keys(reader: Tab) -> None:
    """Arrows go in time and between services at the same time; Enter opens, Escape closes and gives the focus back."""
    sid = "document.activeElement.closest('.row')?.dataset.sid"
    at = "Number(document.activeElement.closest('.block')?.dataset.at)"
    reader.press("n")
    first, began = reader.evaluate(sid), reader.evaluate(at)

    reader.press("ArrowRight")
    later = reader.evaluate(at)
    reader.press("ArrowDown")
    below = (reader.evaluate(sid), reader.evaluate(at))
    reader.press("ArrowUp")
    reader.press("ArrowLeft")
    back = (reader.evaluate(sid), reader.evaluate(at))
    reader.press("Enter")
    reader.wait_until("document.getElementById('broadcast').open")
    reader.press("Escape")
    reader.wait_until("!document.getElementById('broadcast').open")

    assert later == began + 30
    assert below == ("alder_three", later)
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
    """Hundreds of blocks are not in the way of whoever goes on with Tab."""
    assert reader.evaluate("document.querySelectorAll('.row[data-sid] a[tabindex=\"0\"]').length") == 1
    assert reader.evaluate("document.querySelectorAll('.row[data-sid] a:not([tabindex])').length") == 0


@pytest.mark.parametrize("size", [_PHONE, _NARROW])
@pytest.mark.parametrize("path", ["/guide", "/guide?q=evening", "/guide/alder_two/{today}", "/sign-in"])
def test_no_page_is_wider_than_a_phone(
    reader: Tab, service: DeliveryService, broadcaster: Broadcaster, path: str, size: tuple[int, int]
) -> None:
    """Nothing has to be scrolled sideways, at 390 pixels and at 320, which is 1280 at four times the size."""
    reader.resize(*size)
    reader.go(service.url + path.format(today=broadcaster.today))

    assert reader.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_phone_shows_now_and_next(reader: Tab, service: DeliveryService) -> None:
    """For each service what is on and the two that follow, one below the other."""
    reader.resize(*_PHONE)
    reader.go(f"{service.url}/guide")

    shown = reader.evaluate(
        "[...document.querySelectorAll('[data-sid=alder_one] .block')].filter(b => b.offsetParent !== null)"
        ".map(b => [b.classList.contains('is-on-air'), b.getBoundingClientRect().left])"
    )

    assert [is_on_air for is_on_air, _ in shown[:1]] == [True]
    assert 1 <= len(shown) <= 3
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


def test_services_are_filtered_by_name(reader: Tab) -> None:
    """Those that do not have the letters in their name or id are hidden, and how many are left is said."""
    reader.evaluate("document.getElementById('filter').focus()")
    reader.type("radio")

    left = reader.evaluate(
        "[...document.querySelectorAll('.row[data-sid]')].filter(row => !row.hidden).map(row => row.dataset.sid)"
    )

    assert left == ["birch_radio"]
    assert reader.evaluate("document.getElementById('filtered').textContent") == "1 shown"


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

    assert links > 100
    assert tab.evaluate("document.querySelectorAll('.hits li').length") > 10


def test_what_was_missed_is_fetched(tab: Tab, broadcaster: Broadcaster, tmp_path: Path) -> None:
    """While the service is gone the page says so; when it is back, so are the changes that were made meanwhile."""
    port = find_free_port()
    with _serving(broadcaster, tmp_path / "before", port) as service:
        _enter(tab, service, broadcaster)
        tab.evaluate("window.sameDocument = true")
    tab.wait_until("document.getElementById('state').dataset.state == 'lost'")
    broadcaster.retitle("p0000006", "Published While Nobody Served")

    with _serving(broadcaster, tmp_path / "after", port):
        _wait_until_following(tab)
        tab.wait_until(
            "[...document.querySelectorAll('.block.changed')]"
            ".some(block => block.textContent.includes('Published While Nobody Served'))"
        )

    assert tab.evaluate("window.sameDocument") is True


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
        "axe.run().then(report => report.violations.flatMap("
        "rule => rule.nodes.map(node => `${rule.id}: ${node.html} ${node.failureSummary}`)))"
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [_DESKTOP, _PHONE])
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
