"""The address of the service and the key, from arguments or the environment. The key is shown nowhere."""

import os
from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import urlsplit

from schedules_client.errors import ConfigurationError

URL_VARIABLE, KEY_VARIABLE = "SCHEDULES_DELIVERY_URL", "SCHEDULES_API_KEY"


@dataclass(frozen=True, slots=True)
class Access:
    """``address``: without a slash at its end."""

    address: str
    key: str = field(repr=False)

    @classmethod
    def find(cls, url: str | None, key: str | None) -> "Access":
        """Raises :class:`ConfigurationError` if one of them is missing or cannot be sent."""
        address = (os.environ.get(URL_VARIABLE, "") if url is None else url).strip().rstrip("/")
        secret = (os.environ.get(KEY_VARIABLE, "") if key is None else key).strip()
        if not address:
            raise ConfigurationError(
                f"no address: set {URL_VARIABLE}, or pass `url`, such as https://schedules.example"
            )
        if not secret:
            raise ConfigurationError(f"no API key: set {KEY_VARIABLE}, or pass `key`; the operators issue it")
        _check_address(address)
        if not (secret.isascii() and secret.isprintable() and " " not in secret):
            raise ConfigurationError(
                f"the API key has characters that no key has, such as spaces or line ends: look at {KEY_VARIABLE}"
            )
        return cls(address, secret)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def source(self) -> str:
        """Tells whether a store was filled from the same service for the same key."""
        return blake2b(f"{self.address} {self.key}".encode(), digest_size=16).hexdigest()


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
        parts = urlsplit("")
    if not is_usable or parts.query or parts.fragment or "@" in parts.netloc or not address.isprintable():
        raise ConfigurationError(
            f"the address in {URL_VARIABLE} must be http:// or https:// and a host, without a user, a query and "
            "spaces, such as https://schedules.example"
        )
