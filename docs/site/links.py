"""The check of the built site: every internal link leads to a page and a heading, nothing is fetched from elsewhere."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_FETCHED: Final = {"img": "src", "script": "src", "iframe": "src", "source": "src"}
_FETCHED_RELATIONS: Final = {"stylesheet", "preconnect", "preload", "icon"}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag in _FETCHED and values.get(_FETCHED[tag]):
            self.fetched.append(values[_FETCHED[tag]])
        if tag == "link" and values.get("rel") in _FETCHED_RELATIONS:
            self.fetched.append(values.get("href", ""))


def problems_of(site: Path) -> list[str]:
    """The problems of the site's links, a line each."""
    pages = {
        path: _Page(path.read_text()) for path in sorted(site.rglob("*.html")) if path.name != "404.html"
    }
    return [problem for path, page in pages.items() for problem in _problems(path, page, pages, site)]


def _problems(path: Path, page: _Page, pages: dict[Path, _Page], site: Path) -> Iterator[str]:
    name = path.relative_to(site)
    for link in page.fetched:
        if urlsplit(link).scheme in ("http", "https") or link.startswith("//"):
            yield f"{name} fetches {link}"
        elif urlsplit(link).scheme != "data" and not _target(path, link).is_file():
            yield f"{name} lacks {link}"
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = _target(path, link)
        if target not in pages:
            if not target.is_file():
                yield f"{name} links to {link}, which is not there"
        elif parts.fragment and unquote(parts.fragment) not in pages[target].anchors:
            yield f"{name} links to {link}, which has no such heading"


def _target(path: Path, link: str) -> Path:
    part = unquote(urlsplit(link).path)
    target = (path.parent / part).resolve() if part else path
    return target / "index.html" if target.is_dir() else target
