"""Opens the programme guide in a browser, if the demonstration was started on a desktop.

The address signs in once, and every user of the machine sees a browser's arguments in the list of processes. So the
browser gets a file that only its owner may read, and that page redirects to the address.
"""

import html
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from demo.private_file import write_private

_DESKTOPS = ("DISPLAY", "WAYLAND_DISPLAY")
_ELSEWHERE = ("CI", "SSH_CONNECTION", "SSH_TTY")
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Programme guide</title>
<meta http-equiv="refresh" content="0; url={address}">
<p><a href="{address}">To the programme guide</a></p></html>
"""


def has_desktop(environment: Mapping[str, str], platform: str, *, is_terminal: bool) -> bool:
    """Whether a user at this machine would see a page that is opened. ``platform`` as in :mod:`sys`."""
    if not is_terminal or any(environment.get(name) for name in _ELSEWHERE):
        return False
    return platform == "darwin" or any(environment.get(name) for name in _DESKTOPS)


def open_page(address: str, directory: Path) -> bool:
    """Open the address. Returns False if there is no browser, or only one that runs in the terminal."""
    try:
        browser = webbrowser.get()
        if type(browser) is webbrowser.GenericBrowser:
            return False
        return browser.open(write_redirect(address, directory).as_uri())
    except (webbrowser.Error, OSError):
        return False


def write_redirect(address: str, directory: Path) -> Path:
    """Write a page that redirects to the address and that only its owner may read."""
    path = directory / "guide.html"
    write_private(path, _PAGE.format(address=html.escape(address)))
    return path
