"""Which files are pages of the site, and how their links change on the way.

A page is written for a reader of the repository: its links are relative paths of files. On the site, links between
pages lead to the pages, and links to other files of the repository become plain text.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]

_ELSEWHERE: Final = {
    "README.md": "readme.md",
    "ARCHITECTURE.md": "explanation/architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "deploy/README.md": "operators/deploying.md",
}
"""Pages that are kept outside ``docs/``: path in the repository, path on the site."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


class DeadLinkError(Exception):
    """A page links to a file that does not exist."""


def pages() -> dict[str, str]:
    """Path on the site by path in the repository, of every page."""
    within = {
        path.relative_to(REPOSITORY).as_posix(): path.relative_to(REPOSITORY / "docs").as_posix()
        for path in sorted((REPOSITORY / "docs").rglob("*.md"))
    }
    return within | {
        source: target for source, target in _ELSEWHERE.items() if (REPOSITORY / source).exists()
    }


def rewrite_links(text: str, source: str, targets: Mapping[str, str]) -> str:
    """The text of the page ``source`` with its links as they are on the site.

    Raises DeadLinkError if a link leads nowhere.
    """
    code = [match.span() for match in _CODE.finditer(text)]

    def rewritten(match: re.Match[str]) -> str:
        is_image, label, path, fragment = match[1], match[2], match[3], match[4] or ""
        if "://" in path or path.startswith("mailto:") or not path or _is_within(match.start(), code):
            return match[0]
        target = os.path.normpath(PurePosixPath(source).parent / path)
        if target in targets:
            return f"{is_image}[{label}]({_relative(targets[target], targets[source])}{fragment})"
        if not (REPOSITORY / target).exists():
            raise DeadLinkError(f"{source}: {path}")
        if target.startswith("docs/images/"):
            return f"{is_image}[{label}]({_relative(target.removeprefix('docs/'), targets[source])})"
        return label

    return _LINK.sub(rewritten, text)


def _is_within(position: int, spans: list[tuple[int, int]]) -> bool:
    return any(start < position < end for start, end in spans)


def _relative(target: str, source: str) -> str:
    return os.path.relpath(target, PurePosixPath(source).parent)
