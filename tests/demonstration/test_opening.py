"""The guide is opened in a desktop's browser, and its key stays out of the list of processes."""

import webbrowser
from pathlib import Path

import pytest

from demo.opening import has_desktop, open_page

_ADDRESS = "http://127.0.0.1:8080/sign-in#link=secret"


class FakeBrowser(webbrowser.BaseBrowser):
    """Records the addresses that it is asked to open."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.opened: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:  # noqa: FBT002 - the library's
        del new, autoraise
        self.opened.append(url)
        return True


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> FakeBrowser:
    browser = FakeBrowser()
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    return browser


@pytest.mark.parametrize(
    ("environment", "platform", "is_terminal", "expected"),
    [
        pytest.param({"DISPLAY": ":0"}, "linux", True, True, id="a desktop"),
        pytest.param({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True, id="another desktop"),
        pytest.param({}, "darwin", True, True, id="a Mac"),
        pytest.param({}, "linux", True, False, id="no desktop"),
        pytest.param({"DISPLAY": ":0"}, "linux", False, False, id="output to a pipe"),
        pytest.param({"DISPLAY": ":0", "CI": "true"}, "linux", True, False, id="CI"),
        pytest.param(
            {"DISPLAY": ":10", "SSH_CONNECTION": "a b"}, "linux", True, False, id="from another machine"
        ),
        pytest.param({"SSH_CONNECTION": "a b"}, "darwin", True, False, id="a Mac from another machine"),
    ],
)
def test_a_desktop_has_a_display_and_a_terminal(
    environment: dict[str, str], platform: str, *, is_terminal: bool, expected: bool
) -> None:
    """A page is opened on a desktop and from a terminal, and neither in CI nor on another machine."""
    assert has_desktop(environment, platform, is_terminal=is_terminal) == expected


def test_the_browser_is_not_given_the_key(browser: FakeBrowser, tmp_path: Path) -> None:
    """The browser gets a file that only its owner may read, and that redirects to the address."""
    opened = open_page(_ADDRESS, tmp_path)

    path = tmp_path / "guide.html"
    assert opened
    assert browser.opened == [path.as_uri()]
    assert _ADDRESS in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_browser_in_the_terminal_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A browser in the terminal would hide the lines that the demonstration prints."""
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("w3m"))

    assert not open_page(_ADDRESS, tmp_path)


def test_no_browser_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a browser the function returns False and raises no error."""

    def find_none() -> webbrowser.BaseBrowser:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", find_none)

    assert not open_page(_ADDRESS, tmp_path)
