"""Partners: who they are, what they may see, and how much they may ask for."""

import re
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.errors import InvalidIdentifier

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def partner_name(text: str) -> str:
    """Raise :class:`InvalidIdentifier` for anything but lower-case letters, digits and hyphens, at most 40."""
    if not _NAME.fullmatch(text):
        raise InvalidIdentifier(f"not a partner's name: {text[:60]!r} (pattern [a-z0-9-]+, at most 40)")
    return text


@dataclass(frozen=True, slots=True)
class ApiKey:
    """``id`` is no secret and stands in the key; ``digest`` is the SHA-256 of the whole key, in hexadecimal.

    ``expires_at``: None for a key that lasts until it is revoked.
    """

    id: str
    digest: str
    created_at: datetime
    expires_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Partner:
    """``services``: patterns of the sids that it may see. ``is_operator``: it also sees provenance and parity.
    ``is_preview``: it is served from our keyspace also while partners are served by the old system.
    ``waiting_at_once``: how many of its requests may wait for changes at one time.
    """

    name: str
    created_at: datetime
    services: tuple[str, ...] = ("*",)
    is_operator: bool = False
    is_preview: bool = False
    requests_per_minute: int = 600
    requests_per_day: int = 200_000
    waiting_at_once: int = 20
    keys: tuple[ApiKey, ...] = ()

    def may_see(self, sid: Sid) -> bool:
        return any(fnmatchcase(sid, pattern) for pattern in self.services)
