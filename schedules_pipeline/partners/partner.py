"""Partners: their names, API keys, visible services and limits.

A key is ``sk_<id>_<secret>``. It is shown once, when it is issued; kept is its SHA-256.
"""

import re
from base64 import b32encode
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import sha256
from typing import Final

from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.errors import InvalidIdentifier, InvalidPartner

RANDOM_BYTES: Final = 30
"""What a key is made from: five bytes for its id, 25 for its secret (200 bits)."""

MOST_KEYS: Final = 5
MOST_PATTERNS: Final = 50
MOST_REQUESTS_PER_MINUTE: Final = 60_000
MOST_REQUESTS_PER_DAY: Final = 100_000_000
MOST_WAITING_AT_ONCE: Final = 1_000

_RIGHTS_REMEMBERED = 16_384
_ID_BYTES = 5
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_KEY_ID = re.compile(r"[a-z0-9]{8,16}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PATTERN = re.compile(r"[0-9a-z_*?]{1,64}")
_KEY = re.compile(r"sk_([a-z0-9]{8,16})_[a-z0-9]{32,64}")


def partner_name(text: str) -> str:
    """Raise :class:`InvalidIdentifier` for anything but lower-case letters, digits and hyphens, at most 40."""
    if not _NAME.fullmatch(text):
        raise InvalidIdentifier(f"not a partner's name: {text[:60]!r} (pattern [a-z0-9-]+, at most 40)")
    return text


def service_pattern(text: str) -> str:
    """Raises :class:`InvalidIdentifier` if the text is not a service id, possibly with ``*`` or ``?`` in it."""
    if not _PATTERN.fullmatch(text):
        raise InvalidIdentifier(
            f"not a pattern of services: {text[:80]!r} (pattern [0-9a-z_*?]+, at most 64)"
        )
    return text


def key_id(text: str) -> str | None:
    """The id in a key; None if the text does not have the form of a key."""
    found = _KEY.fullmatch(text)
    return None if found is None else found[1]


def key_digest(text: str) -> str:
    """The stored digest of a key: SHA-256 in hexadecimal. Accepts any text."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """``id`` is no secret and stands in the key; ``digest`` is the SHA-256 of the whole key, in hexadecimal.

    ``expires_at``: None for a key that lasts until it is revoked.
    """

    id: str
    digest: str
    created_at: datetime
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not _KEY_ID.fullmatch(self.id):
            raise InvalidPartner(f"not the id of a key: {self.id[:40]!r} (pattern [a-z0-9]+, 8 to 16)")
        if not _DIGEST.fullmatch(self.digest):
            raise InvalidPartner(f"key {self.id}: what is kept of it is no SHA-256")
        _require_zone(f"key {self.id}", self.created_at, self.expires_at)

    def is_valid(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key at the one moment when its text is known; ``text`` is a secret, and no part of the representation."""

    text: str = field(repr=False)
    key: ApiKey


def issue_key(random: bytes, created_at: datetime, expires_at: datetime | None = None) -> IssuedKey:
    """Make a key from :data:`RANDOM_BYTES` random bytes. Raises ``ValueError`` for another number of bytes."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a key is made from {RANDOM_BYTES} bytes, not {len(random)}")
    identifier, secret = (
        b32encode(part).decode().lower() for part in (random[:_ID_BYTES], random[_ID_BYTES:])
    )
    text = f"sk_{identifier}_{secret}"
    return IssuedKey(text, ApiKey(identifier, key_digest(text), created_at, expires_at))


@dataclass(frozen=True, slots=True)
class Partner:
    """``services``: patterns of the sids that it may see. ``is_operator``: it also sees provenance and parity.
    ``is_preview``: it is served from our keyspace also while partners are served by the old system.
    ``is_public``: under the addresses of televisions its name admits everyone, without a key.
    ``requests_per_minute`` may all come at once after a minute without any; a day is one of UTC.
    ``waiting_at_once``: how many of its requests may wait for changes at one time.

    Raises :class:`InvalidPartner` for limits out of range, too many keys or patterns, or two keys of one id, and
    :class:`InvalidIdentifier` for a malformed name or pattern.
    """

    name: str
    created_at: datetime
    services: tuple[str, ...] = ("*",)
    is_operator: bool = False
    is_preview: bool = False
    requests_per_minute: int = 1_200
    requests_per_day: int = 200_000
    waiting_at_once: int = 20
    keys: tuple[ApiKey, ...] = ()
    is_public: bool = False

    def __post_init__(self) -> None:
        partner_name(self.name)
        _require_zone(self.name, self.created_at)
        self._check_services()
        self._check_limits()
        self._check_keys()
        if self.is_public and self.is_operator:
            raise InvalidPartner(f"{self.name}: an operator's access cannot be public")

    def may_see(self, sid: Sid) -> bool:
        return _may_see(self.services, sid)

    def with_key(self, key: ApiKey, now: datetime) -> "Partner":
        """With one more key, and without those that have expired."""
        return replace(self, keys=(*self.valid_keys(now), key))

    def rotated_to(self, key: ApiKey, now: datetime, overlap: timedelta) -> "Partner":
        """With one more key; every other expires after the overlap, unless it would sooner."""
        latest = now + overlap
        old = tuple(
            k if k.expires_at is not None and k.expires_at <= latest else replace(k, expires_at=latest)
            for k in self.valid_keys(now)
        )
        return replace(self, keys=(*(k for k in old if k.is_valid(now)), key))

    def without_key(self, identifier: str) -> "Partner":
        """Raise :class:`InvalidPartner` where it has no key of that id."""
        left = tuple(key for key in self.keys if key.id != identifier)
        if len(left) == len(self.keys):
            ids = ", ".join(key.id for key in self.keys) or "none"
            raise InvalidPartner(f"{self.name} has no key of that id: its keys are {ids}")
        return replace(self, keys=left)

    def valid_keys(self, now: datetime) -> tuple[ApiKey, ...]:
        return tuple(key for key in self.keys if key.is_valid(now))

    def _check_services(self) -> None:
        if not 1 <= len(self.services) <= MOST_PATTERNS:
            raise InvalidPartner(f"{self.name}: 1 to {MOST_PATTERNS} patterns of services, please")
        for pattern in self.services:
            service_pattern(pattern)

    def _check_limits(self) -> None:
        for limit, least, most in (
            ("requests_per_minute", 1, MOST_REQUESTS_PER_MINUTE),
            ("requests_per_day", 1, MOST_REQUESTS_PER_DAY),
            ("waiting_at_once", 0, MOST_WAITING_AT_ONCE),
        ):
            if not least <= (value := getattr(self, limit)) <= most:
                raise InvalidPartner(f"{self.name}: {limit} is {value}, and must be {least} to {most}")

    def _check_keys(self) -> None:
        if len(self.keys) > MOST_KEYS:
            raise InvalidPartner(f"{self.name} would have more than {MOST_KEYS} keys: revoke one first")
        if len({key.id for key in self.keys}) != len(self.keys):
            raise InvalidPartner(f"{self.name} would have two keys of one id")


@lru_cache(_RIGHTS_REMEMBERED)
def _may_see(patterns: tuple[str, ...], sid: Sid) -> bool:
    return any(fnmatchcase(sid, pattern) for pattern in patterns)


def _require_zone(what: str, *instants: datetime | None) -> None:
    if any(instant is not None and instant.utcoffset() is None for instant in instants):
        raise InvalidPartner(f"{what}: an instant without a time zone")
