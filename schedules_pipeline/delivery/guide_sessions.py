"""The sessions of the guide, as this process last read them. ``delivery.running`` reads them every few seconds, so a
session that ends in one process ends in all of them.
"""

from collections.abc import Mapping
from datetime import datetime

from schedules_pipeline.partners.sign_in import (
    SESSION_LASTS,
    GuideSession,
    SignInStore,
    new_token,
    token_digest,
)


class GuideSessions:
    """Changed by several threads, each of which replaces the whole mapping. A session that gets lost between two
    changes is found by :meth:`look_up`.
    """

    def __init__(self) -> None:
        self._sessions: Mapping[str, GuideSession] = {}

    def refresh(self, store: SignInStore) -> None:
        self._sessions = store.sessions()

    def find(self, token: str) -> GuideSession | None:
        return self._sessions.get(token_digest(token) or "")

    def look_up(self, store: SignInStore, token: str) -> GuideSession | None:
        """Read one session that another process may have begun just now. Blocking."""
        digest = token_digest(token)
        if digest is None or (found := store.session(digest)) is None:
            return None
        self._sessions = {**self._sessions, digest: found}
        return found

    def begin(self, store: SignInStore, partner: str, key_id: str, now: datetime) -> str:
        """Store a session and return its token. Blocking."""
        token, session = new_token(), GuideSession(partner, now + SESSION_LASTS, key_id)
        if digest := token_digest(token):
            store.begin(digest, session, now)
            self._sessions = {**self._sessions, digest: session}
        return token

    def end(self, store: SignInStore, token: str) -> None:
        """End a session, also one that is unknown here. Blocking."""
        if digest := token_digest(token):
            store.end(digest)
            self._sessions = {key: session for key, session in self._sessions.items() if key != digest}
