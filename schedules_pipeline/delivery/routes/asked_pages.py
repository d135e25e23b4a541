"""The page that a reader without a session asked for: it goes with the reader through the sign-in page and back."""

import re
from typing import Final
from urllib.parse import quote, urlencode

from starlette.types import Scope

HOME: Final = "/guide"

_ASKED_FOR = re.compile(r"/(guide|v1)([/?][!-\[\]-~]*)?")
"""Pages and data of this service only, and no character that a browser would change or drop."""

_LONGEST = 1_000


def own_page(text: str) -> str:
    """The text if it is the path of a page that may be asked for, otherwise that of the guide."""
    return text if len(text) <= _LONGEST and _ASKED_FOR.fullmatch(text) else HOME


def sign_in_address(scope: Scope) -> str:
    """The sign-in page, which leads back to the page of this request."""
    query = scope["query_string"].decode("latin-1")
    asked = own_page(f"{quote(scope['path'])}?{query}".removesuffix("?"))
    return "/sign-in" if asked == HOME else f"/sign-in?{urlencode({'to': asked})}"


def is_asked_by_a_person(scope: Scope, fetch_mode: str | None) -> bool:
    """A page, or data to which a browser goes, as from a link in Dagster. ``fetch_mode``: of ``Sec-Fetch-Mode``."""
    is_page = scope["path"].startswith(HOME)
    return is_page or (scope["path"].startswith("/v1/") and fetch_mode == "navigate")
