"""Mermaid diagrams of the pages, drawn when the site is built: readers need no script for them.

A diagram begins with ``accTitle:``, which becomes its alternative text.
"""

import json
import os
import re
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Final

import mmdr

_BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^\s*accTitle: *(.+)$", re.MULTILINE)
_FONT_SIZES = re.compile(r"(?<=font-size:)(\d+)(?=px)")
_SCALE: Final = 0.86
"""Boxes are measured for Arial; a reader's own sans-serif font may be wider."""

_FOLDER: Final = "images/diagrams"
_SETTINGS: Final = json.dumps(
    {
        "theme": "neutral",
        "htmlLabels": False,
        "flowchart": {"htmlLabels": False, "useMaxWidth": False, "wrappingWidth": 480},
        "sequence": {"useMaxWidth": False, "width": 180, "noteMargin": 14},
        "themeVariables": {"fontFamily": "Arial, Helvetica, sans-serif", "fontSize": "15px"},
    }
)


def draw_diagrams(text: str, page: str, folder: Path) -> str:
    """The page's text with an image in place of each diagram; the images are written below ``folder``.

    Raises ValueError if a diagram has no ``accTitle``.
    """

    def drawn(match: re.Match[str]) -> str:
        title = _TITLE.search(match[1])
        if title is None:
            raise ValueError(f"{page}: a diagram without accTitle")
        name = f"{_FOLDER}/{sha256(match[1].encode()).hexdigest()[:16]}.svg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        drawing = mmdr.render(f"%%{{init: {_SETTINGS}}}%%\n{match[1]}").svg()
        (folder / name).write_text(_FONT_SIZES.sub(_smaller, drawing))
        return f"![{title[1]}]({os.path.relpath(name, PurePosixPath(page).parent)}){{ .diagram }}"

    return _BLOCK.sub(drawn, text)


def _smaller(size: re.Match[str]) -> str:
    return f"{int(size[0]) * _SCALE:.1f}"
