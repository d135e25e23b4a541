"""What the values of some settings must look like. Each function returns the value or raises ``ValueError``."""

from ipaddress import ip_network
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr


def time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"no such time zone: {name[:60]!r}") from error
    return name


def networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        ip_network(text)
    return texts


def web_address(url: SecretStr) -> SecretStr:
    """The error does not quote the address, which may hold a token."""
    if not _is_web_address(url.get_secret_value()):
        raise ValueError("expected http:// or https:// and a host")
    return url


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def image_template(text: str) -> str:
    is_valid = (
        _is_web_address(text) and text.count("{image_pid}") == 1 and text.isascii() and text.isprintable()
    )
    if text and (not is_valid or " " in text):
        raise ValueError(
            "expected http:// or https://, a host, and {image_pid} once, in ASCII without spaces"
        )
    return text


def pairs(names: object) -> object:
    """The members of a mapping as pairs, because settings must be hashable."""
    return tuple(names.items()) if isinstance(names, dict) else names
