"""One published guide, one delivery service and one browser for all tests of the guide in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, Tab, find_chromium
from end_to_end.guide_in_browser import DESKTOP, Broadcaster, enter, serving

from demo.delivery_service import DeliveryService
from demo.servers import RedisServer


@pytest.fixture(scope="session")
def broadcaster(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broadcaster]:
    with RedisServer(tmp_path_factory.mktemp("redis"), executable=redis_executable) as redis:
        yield Broadcaster(redis)


@pytest.fixture(scope="session")
def service(broadcaster: Broadcaster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeliveryService]:
    with serving(broadcaster, tmp_path_factory.mktemp("delivery")) as service:
        yield service


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(find_chromium(), tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """A tab of a reader without a cookie."""
    with browser.tab() as tab:
        tab.resize(*DESKTOP)
        tab.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        yield tab


@pytest.fixture
def reader(tab: Tab, service: DeliveryService, broadcaster: Broadcaster) -> Tab:
    """A reader who signed in by a link, on the guide's page, which follows the feed."""
    enter(tab, service, broadcaster)
    return tab
