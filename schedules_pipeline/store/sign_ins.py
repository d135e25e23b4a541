"""Sessions of the guide and links that sign in, on Redis: a hash of each, which expires with its last member."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from schedules_pipeline.documents.record import Record
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.partners.sign_in import (
    LINK,
    LONGEST_LINK,
    SESSION,
    SESSION_LASTS,
    GuideSession,
    SignInLink,
    surplus,
)
from schedules_pipeline.store.exchange import Command
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_Value = TypeVar("_Value")


class RedisSignInStore:
    """Implements :class:`SignInStore`. Records that cannot be decoded are left out, so their holders sign in again."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._sessions, self._links = keys.delivery("sessions"), keys.delivery("sign_in_links")

    def sessions(self) -> Mapping[str, GuideSession]:
        return self._all(self._sessions, SESSION)

    def session(self, digest: str) -> GuideSession | None:
        return _decoded(self._link.call("HGET", self._sessions, digest), SESSION)

    def begin(self, digest: str, session: GuideSession, now: datetime) -> None:
        self._put(self._sessions, digest, SESSION.render(session), surplus(self.sessions(), session, now))
        self._link.call("EXPIRE", self._sessions, int(SESSION_LASTS.total_seconds()))

    def end(self, digest: str) -> None:
        self._link.call("HDEL", self._sessions, digest)

    def end_all(self, partner: str) -> int:
        sessions, links = self.sessions(), self._all(self._links, LINK)
        return self._remove(self._sessions, sessions, partner) + self._remove(self._links, links, partner)

    def add_link(self, digest: str, link: SignInLink, now: datetime) -> None:
        links = self._all(self._links, LINK)
        self._put(self._links, digest, LINK.render(link), surplus(links, link, now))
        self._link.call("EXPIRE", self._links, int(LONGEST_LINK.total_seconds()))

    def link(self, digest: str) -> SignInLink | None:
        return _decoded(self._link.call("HGET", self._links, digest), LINK)

    def take_link(self, digest: str) -> bool:
        return bool(self._link.call("HDEL", self._links, digest))

    def _remove(self, key: str, found: Mapping[str, GuideSession | SignInLink], partner: str) -> int:
        digests = [digest for digest, grant in found.items() if grant.partner == partner]
        return int(self._link.call("HDEL", key, *digests)) if digests else 0

    def _put(self, key: str, digest: str, record: bytes, old: list[str]) -> None:
        commands: list[Command] = [("HDEL", key, *old)] if old else []
        self._link.run([*commands, ("HSET", key, digest, record)])

    def _all(self, key: str, form: Record[_Value]) -> dict[str, _Value]:
        rows = self._link.call("HGETALL", key)
        read = {digest.decode(): _decoded(record, form) for digest, record in rows.items()}
        return {digest: grant for digest, grant in read.items() if grant is not None}


def _decoded(record: bytes | None, form: Record[_Value]) -> _Value | None:
    if record is None:
        return None
    try:
        return form.parse(record)
    except InvalidRecord:
        return None
