"""Connections to hosts that were typed by people: only to public addresses, and to networks that a setting allows.

A name is resolved once, each address of the answer is checked, and the connection is made to a checked address. So a
name that resolves to another address a moment later reaches nothing that was not checked. TLS and the ``Host`` field
keep the name. Redirections are not followed by the callers.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util.connection import create_connection

_Network = IPv4Network | IPv6Network

_MOST_ADDRESSES = 3
"""Each attempt may take as long as the connect timeout, and a name may have hundreds of addresses."""

_PUBLIC_IPV6: Final = ip_network("2000::/3")
"""Beyond it are loopback, IPv4-mapped, NAT64, unique local, link-local and multicast addresses."""

_NOT_PUBLIC: Final[Sequence[_Network]] = [
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        # Azure's metadata and DNS.
        "168.63.129.16/32",
        # Protocols (Teredo among them), documentation, and 6to4, which contain IPv4 addresses.
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
]
"""IANA's special-purpose addresses, because ``is_global`` differs between versions of Python."""


class AddressNotAllowed(HTTPError):
    """No address of a host may be connected to. The text does not name the host."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one of the public internet, and contains no other address."""
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


@dataclass(frozen=True)
class AllowedAddresses:
    """Public addresses, and those of ``networks``. ``setting``: where these are set, for the error's text."""

    networks: tuple[str, ...]
    setting: str

    def of(self, host: str, port: int) -> list[str]:
        """The allowed addresses of a host, in the resolver's order.

        Raises ``socket.gaierror`` if it cannot be resolved, and :class:`AddressNotAllowed`.
        """
        resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = dict.fromkeys(str(found[4][0]) for found in resolved)
        if allowed := [text for text in addresses if self._allows(ip_address(text))]:
            return allowed[:_MOST_ADDRESSES]
        raise AddressNotAllowed(f"the host has no public address, and none that {self.setting} allows")

    def _allows(self, address: IPv4Address | IPv6Address) -> bool:
        return is_public(address) or any(address in network for network in self._networks)

    @cached_property
    def _networks(self) -> list[_Network]:
        return [ip_network(text) for text in self.networks]


class CheckedConnection(HTTPConnection):
    """Takes the option ``allowed``, an :class:`AllowedAddresses`; a pool passes its unknown options on."""

    def __init__(self, *args: Any, allowed: AllowedAddresses, **options: Any) -> None:
        super().__init__(*args, **options)
        self._allowed = allowed

    def _new_conn(self) -> socket.socket:
        """Replaces urllib3's step from a host to a connected socket, with the same errors."""
        try:
            addresses = self._allowed.of(self.host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError:
            raise LocationParseError("a label of the host is empty or too long") from None
        *others, last = addresses
        for address in others:
            try:
                return self._connect(address)
            except (NewConnectionError, ConnectTimeoutError):
                continue
        return self._connect(last)

    def _connect(self, address: str) -> socket.socket:
        try:
            return create_connection((address, self.port), self.timeout, None, self.socket_options)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error


class CheckedSecureConnection(CheckedConnection, HTTPSConnection):
    """The same over TLS: ``CheckedConnection`` comes first in the order of methods."""


def check_pools(
    manager: PoolManager,
    allowed: AllowedAddresses,
    plain: type[CheckedConnection] = CheckedConnection,
    secure: type[CheckedSecureConnection] = CheckedSecureConnection,
) -> None:
    """Make every connection of this manager a checked one, of these classes."""

    class Pool(HTTPConnectionPool):
        ConnectionCls = plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = secure

    makers: dict[str, Any] = {
        "http": partial(Pool, allowed=allowed),
        "https": partial(SecurePool, allowed=allowed),
    }
    manager.pool_classes_by_scheme = makers
