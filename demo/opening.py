"""Opens the programme guide in the browser of whoever started the demonstration, where there is one.

The address holds a key, which the list of processes would show to everybody on this machine. So the browser is given
a file that only its owner may read, and the file leads on to the address.
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
    """Whether somebody sits in front of this machine who would see a page. ``platform`` as in :mod:`sys`."""
    if not is_terminal or any(environment.get(name) for name in _ELSEWHERE):
        return False
    return platform == "darwin" or any(environment.get(name) for name in _DESKTOPS)


def open_page(address: str, directory: Path) -> bool:
    """Have the browser go there; tells whether there is one. One that would run in the terminal is none."""
    try:
        browser = webbrowser.get()
        if type(browser) is webbrowser.GenericBrowser:
            return False
        return browser.open(write_leading_page(address, directory).as_uri())
    except (webbrowser.Error, OSError):
        return False


def write_leading_page(address: str, directory: Path) -> Path:
    """A file that leads to the address, for its owner alone."""
    path = directory / "guide.html"
    write_private(path, _PAGE.format(address=html.escape(address)))
    return path
