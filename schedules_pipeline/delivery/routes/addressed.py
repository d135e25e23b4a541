"""Paths that hold what admits their requests, because televisions and players send no header: ``/dvb-i/{access}/…``
and ``/players/{access}/…``.

``access`` is an API key, or the name of a public partner. Logs and traces get :func:`printable_path`.
"""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OF_PLAYERS: Final = "/players/"
PREFIXES: Final = ("/dvb-i/", _OF_PLAYERS)
_NO_CONTENT: Final = 204
_PREFLIGHT: Final = [
    (b"allow", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"Accept, If-None-Match, Cache-Control, X-Requested-With"),
    (b"access-control-max-age", b"86400"),
    (b"cache-control", b"public, max-age=86400"),
]
_ANY_ORIGIN: Final = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"ETag, Retry-After, Schedules-As-Of, Schedules-Stale, Schedules-Cursor",
    ),
]


def access_of(path: str) -> str | None:
    """What admits a request with this path; None if its headers do."""
    prefix = _prefix_of(path)
    return path.removeprefix(prefix).partition("/")[0] if prefix else None


def is_of_player(path: str) -> bool:
    """Whether a player asks, which shows nothing if it is rejected."""
    return path.startswith(_OF_PLAYERS)


def printable_path(path: str) -> str:
    """The path without a key."""
    access, prefix = access_of(path), _prefix_of(path)
    return path if access is None else f"{prefix}{{access}}{path[len(prefix) + len(access) :]}"


def _prefix_of(path: str) -> str:
    return next((prefix for prefix in PREFIXES if path.startswith(prefix)), "")


class AnyOrigin:
    """Lets pages of every origin read the answers under such paths (CORS), also the rejections. ``OPTIONS`` is
    answered here: it needs no key and counts towards no limit.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIXES):
            await self._application(scope, receive, send)
            return

        async def send_to_any(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_ANY_ORIGIN]}
            await send(message)

        if scope["method"] != "OPTIONS":
            await self._application(scope, receive, send_to_any)
            return
        await send_to_any({"type": "http.response.start", "status": _NO_CONTENT, "headers": _PREFLIGHT})
        await send({"type": "http.response.body", "body": b""})
