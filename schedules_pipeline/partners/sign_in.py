"""Sessions of the programme guide, and links that sign in once. Stored are digests of their tokens (ADR 31)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final, Protocol

from schedules_pipeline.documents.record import Record

MOST_EACH: Final = 20
"""Sessions, and open links, of one partner. One more ends the one that would expire first."""

SESSION_LASTS: Final = timedelta(days=7)
LINK_LASTS: Final = timedelta(minutes=10)
LONGEST_LINK: Final = timedelta(hours=24)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class GuideSession:
    """``key_id``: of the key that began it, with which it ends; "" if a link began it."""

    partner: str
    expires_at: datetime
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class SignInLink:
    """``asks``: the reader must confirm who they sign in as. Otherwise whoever sends the link chooses that."""

    partner: str
    expires_at: datetime
    asks: bool = True


SESSION: Final = Record(GuideSession, "session", is_secret=True)
LINK: Final = Record(SignInLink, "link", is_secret=True)

_Grant = GuideSession | SignInLink


class SignInStore(Protocol):
    """Every method raises :class:`ServiceError` if the store does not answer. Digests are those of tokens."""

    def sessions(self) -> Mapping[str, GuideSession]:
        """All sessions by digest, possibly expired ones among them."""

    def session(self, digest: str) -> GuideSession | None: ...

    def begin(self, digest: str, session: GuideSession, now: datetime) -> None:
        """Store a session, and remove those that :func:`surplus` names."""

    def end(self, digest: str) -> None: ...

    def end_all(self, partner: str) -> int:
        """End every session and link of a partner. Returns their number."""

    def add_link(self, digest: str, link: SignInLink, now: datetime) -> None:
        """Store a link, and remove those that :func:`surplus` names."""

    def link(self, digest: str) -> SignInLink | None: ...

    def take_link(self, digest: str) -> bool:
        """Remove a link. True for exactly one caller."""


def new_token() -> str:
    """256 random bits."""
    return token_urlsafe(32)


def token_digest(text: str) -> str | None:
    """The SHA-256 of a token in hexadecimal; None if the text does not have the form of one."""
    return sha256(text.encode()).hexdigest() if _TOKEN.fullmatch(text) else None


def surplus(stored: Mapping[str, _Grant], added: _Grant, now: datetime) -> list[str]:
    """The digests to remove so that one may be added: expired ones, and those beyond :data:`MOST_EACH`."""
    expired = [digest for digest, grant in stored.items() if grant.expires_at <= now]
    of_partner = sorted(
        (grant.expires_at, digest)
        for digest, grant in stored.items()
        if grant.partner == added.partner and grant.expires_at > now
    )
    return [*expired, *(digest for _, digest in of_partner[: max(0, len(of_partner) + 1 - MOST_EACH)])]
