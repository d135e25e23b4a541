"""Targets of subscriptions, parsed from operators' input: a webhook's address, a prefix of files."""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from schedules_pipeline.errors import InvalidIdentifier

_MOST_CHARACTERS = 500
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*")
_LONGEST_PREFIX = 100


def parse_webhook_address(text: str, plain_hosts: Collection[str] = ()) -> str:
    """An ``https`` address; ``http`` is allowed for loopback and ``plain_hosts`` only.

    Raises :class:`InvalidIdentifier` without the address in its text, since that may contain a token.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _rejection("it is no URL") from None
    if len(text) > _MOST_CHARACTERS or not text.isascii() or not text.isprintable() or " " in text:
        raise _rejection(f"at most {_MOST_CHARACTERS} printable ASCII characters, percent-encoded")
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise _rejection("expected https:// and a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _rejection(
            "it must not contain a user name, a password or a fragment; requests are signed instead"
        )
    if parts.scheme == "http" and not _is_loopback(host) and host not in plain_hosts:
        raise _rejection(
            "plain http is allowed only for loopback and the hosts in SCHEDULES_WEBHOOK_PLAIN_HOSTS"
        )
    return text


def parse_prefix(text: str) -> str:
    """Words separated by slashes. Raises :class:`InvalidIdentifier`."""
    if len(text) > _LONGEST_PREFIX or not _PREFIX.fullmatch(text):
        raise InvalidIdentifier(
            f"not a prefix of files: {text[:100]!r} (words of [a-z0-9_-] with / between, at most {_LONGEST_PREFIX})"
        )
    return text


def overlaps(prefix: str, other: str) -> bool:
    """Whether one prefix equals the other or contains it."""
    return f"{prefix}/".startswith(f"{other}/") or f"{other}/".startswith(f"{prefix}/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _rejection(reason: str) -> InvalidIdentifier:
    return InvalidIdentifier(f"not an address for a webhook: {reason}")
