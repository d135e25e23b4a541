"""The protocol of a partner without any input or output: which request comes next, and what is stored.

:meth:`Conversation.sync` and :meth:`Conversation.follow` are generators of steps. A document and the cursor that it
was announced with are one batch, and the cursor never passes a version that the store lacks. So a conversation that
is given up at any step can begin again from the store, and ends with the published state.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from schedules_client.asking import Asker, Reply, Trouble
from schedules_client.errors import Unavailable
from schedules_client.event_stream import EventStream, ServerEvent
from schedules_client.fetching import Fetcher, Wanted
from schedules_client.steps import (
    Answer,
    Ask,
    Batch,
    Close,
    Failure,
    Key,
    Load,
    Open,
    Read,
    Save,
    State,
    Steps,
    Tell,
    Terms,
    Version,
    Wait,
    Warn,
)

DIGEST, CHANGES, STREAM, SERVICES = "/v1/digest", "/v1/changes", "/v1/changes/stream", "/v1/services"

_OK, _NOT_MODIFIED, _BAD_REQUEST, _GONE = 200, 304, 400, 410
_NO_CURSOR = (_BAD_REQUEST, _GONE)
_PAGE = 200
_POLL_SECONDS = 30
_SILENT_SECONDS = 45.0
"""Three heartbeats of the service."""
_MOST_SILENT_STREAMS = 2
_MOST_REFUSALS = 5


class _Page(NamedTuple):
    changes: Sequence[Wanted]
    cursor: str
    has_more: bool


class _Digest(NamedTuple):
    versions: Mapping[Key, Version]
    cursor: str


class Conversation:
    """One partner's conversation. Use it for one ``sync`` or ``follow``."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._asker = Asker(terms)
        self._fetcher = Fetcher(self._asker)
        self._held = self._fetcher.held
        self._cursor = self._digest_tag = self._services_tag = ""
        self._checked_at = 0.0
        self._named: set[str] = set()
        self._refusals = 0
        self._reconnect_seconds = 2.0
        self._silent_streams = 0

    def sync(self) -> Steps[None]:
        """Until the store holds what is published."""
        state: State = yield Load()
        self._held.update(state.held)
        self._cursor, self._checked_at = state.cursor, state.checked_at
        self._digest_tag, self._services_tag = state.digest_tag, state.services_tag
        self._named = set(state.named)
        if not self._cursor or self._is_check_due():
            yield from self._begin()
        while (yield from self._take_page(0)):
            pass

    def follow(self) -> Steps[None]:
        """For ever."""
        yield from self.sync()
        while True:
            if self._terms.streams and self._silent_streams < _MOST_SILENT_STREAMS:
                yield from self._listen()
            else:
                yield from self._take_page(_POLL_SECONDS)
            if self._is_check_due():
                yield from self._begin()

    def _is_check_due(self) -> bool:
        return self._terms.clock() >= self._checked_at + self._terms.check_seconds

    # The digest.

    def _begin(self) -> Steps[None]:
        """Fetch what differs from the digest, and take its cursor when nothing differs any more."""
        yield from self._name_services()
        now = self._terms.clock()
        ask = Ask(DIGEST, _if_none_match(self._digest_tag))
        reply: Reply = yield from self._asker.ask(ask, _digest, (_NOT_MODIFIED,))
        self._checked_at = now
        if reply.status == _NOT_MODIFIED:
            yield from self._save(Batch(checked_at=now))
            return
        digest: _Digest = reply.content
        wanted = [
            Wanted(key, version, _href(key, version))
            for key, version in digest.versions.items()
            if key not in self._held or self._held[key].version != version
        ]
        for part in self._fetcher.parts(wanted):
            fetched = yield from self._fetcher.fetch(part)
            yield from self._save(Batch(fetched.documents, fetched.removed))
        gone = [key for key in self._held if key not in digest.versions]
        tag = reply.headers.get("etag", "")
        yield from self._save(Batch([], gone, digest.cursor, digest_tag=tag, checked_at=now))

    def _name_services(self) -> Steps[None]:
        ask = Ask(SERVICES, _if_none_match(self._services_tag))
        reply: Reply = yield from self._asker.ask(ask, _services, (_NOT_MODIFIED,))
        if reply.status == _OK:
            self._named = {service["sid"] for service in reply.content}
            tag = reply.headers.get("etag", "")
            yield from self._save(Batch(services=reply.content, services_tag=tag))

    # The feed.

    def _take_page(self, wait: int) -> Steps[bool]:
        """Store the next page of changes. Returns whether there are more."""
        query = urlencode({"since": self._cursor, "limit": _PAGE} | ({"wait": wait} if wait else {}))
        ask = Ask(f"{CHANGES}?{query}", within_seconds=wait + 60.0)
        reply: Reply = yield from self._asker.ask(ask, _page, _NO_CURSOR)
        if reply.status in _NO_CURSOR:
            yield from self._begin_again()
            return True
        page: _Page = reply.content
        self._refusals = 0
        yield from self._apply(page.changes, page.cursor)
        return page.has_more

    def _begin_again(self) -> Steps[None]:
        """The digest knows better than a cursor that is rejected. A service that rejects its own is given time."""
        self._refusals += 1
        self._cursor = self._digest_tag = ""
        if self._refusals > 1:
            trouble = Trouble("the service rejects the cursor that it gave")
            if self._refusals > _MOST_REFUSALS and self._terms.give_up_seconds is not None:
                raise Unavailable(trouble.text)
            yield from self._asker.pause(trouble)
        yield from self._begin()

    def _apply(self, changes: Iterable[Wanted], cursor: str) -> Steps[None]:
        """Fetch each changed schedule once, and store all of them with the cursor."""
        newest = {change.key: change for change in changes}
        removed: list[Key] = []
        wanted: list[Wanted] = []
        for key, change in newest.items():
            held = self._held.get(key)
            if change.is_removal and (held is None or held.version.seq <= change.version.seq):
                removed.append(key)
            elif held is None or held.version != change.version:
                wanted.append(change)
        documents = []
        for part in self._fetcher.parts(wanted):
            fetched = yield from self._fetcher.fetch(part)
            documents += fetched.documents
            removed += fetched.removed
        if {document.key.sid for document in documents} - self._named:
            self._named |= {document.key.sid for document in documents}
            yield from self._name_services()
        yield from self._save(Batch(documents, removed, cursor))

    def _save(self, batch: Batch) -> Steps[None]:
        removed = [key for key in dict.fromkeys(batch.removed) if key in self._held]
        cursor = batch.cursor if batch.cursor != self._cursor else None
        batch = replace(batch, removed=removed, cursor=cursor)
        if batch == Batch():
            return
        changes = yield Save(batch)
        self._held.update({document.key: document.held for document in batch.documents})
        for key in removed:
            del self._held[key]
        self._cursor = cursor or self._cursor
        self._digest_tag = self._digest_tag if batch.digest_tag is None else batch.digest_tag
        self._services_tag = self._services_tag if batch.services_tag is None else batch.services_tag
        if changes:
            yield Tell(changes)

    # The stream.

    def _listen(self) -> Steps[None]:
        """Until the stream ends, and then for the pause before the next one."""
        ask = Open(STREAM, {"Last-Event-ID": self._cursor, "Accept": "text/event-stream"}, _SILENT_SECONDS)
        outcome: Answer | Failure = yield ask
        if isinstance(outcome, Answer) and outcome.status in _NO_CURSOR:
            yield from self._begin_again()
        elif not (isinstance(outcome, Answer) and outcome.status == _OK):
            yield from self._asker.pause(self._asker.trouble(outcome, STREAM))
        elif not outcome.headers.get("content-type", "").startswith("text/event-stream"):
            yield Close()
            yield from self._asker.pause(self._asker.misunderstood(STREAM))
        else:
            yield from self._hear()

    def _hear(self) -> Steps[None]:
        stream, has_heard = EventStream(), False
        while not self._is_check_due():
            chunk: bytes | None = yield Read()
            if chunk is None:
                break
            try:
                events = stream.feed(chunk)
                changes = [
                    _change(json.loads(each.data)) for each in events if each.name == "change" and each.data
                ]
            except (ValueError, TypeError, KeyError):
                yield Close()
                yield from self._asker.pause(Trouble("the stream of changes cannot be read"))
                return
            if events:
                has_heard = True
                self._asker.succeeded()
                self._refusals = 0
            if any(each.name == "reset" for each in events):
                yield Close()
                yield from self._begin()
                return
            yield from self._apply(changes, self._read_places(events))
        yield Close()
        yield from self._between_streams(has_heard)

    def _read_places(self, events: Sequence[ServerEvent]) -> str:
        """The cursor after these events."""
        for each in events:
            if each.retry_seconds is not None:
                self._reconnect_seconds = each.retry_seconds
        return next((each.id for each in reversed(events) if each.id), self._cursor)

    def _between_streams(self, has_heard: bool) -> Steps[None]:  # noqa: FBT001 - the outcome of the stream
        if has_heard:
            self._silent_streams = 0
            yield Wait(self._reconnect_seconds * (0.5 + self._terms.random()))
            return
        self._silent_streams += 1
        if self._silent_streams == _MOST_SILENT_STREAMS:
            yield Warn("nothing arrives through the stream of changes; the client polls from now on")
        yield from self._asker.pause(Trouble("the stream of changes ended before anything arrived"))


def _if_none_match(tag: str) -> dict[str, str]:
    return {"If-None-Match": tag} if tag else {}


def _href(key: Key, version: Version) -> str:
    return f"/v1/schedules/{quote(key.sid, safe='')}/{quote(key.date, safe='')}?min_seq={version.seq}"


def _digest(content: Any) -> _Digest:
    versions = {
        Key(sid, entry["date"]): Version(entry["seq"], entry["etag"], entry["published_at"])
        for sid, entries in content["services"].items()
        for entry in entries
        if not entry["removed"]
    }
    return _Digest(versions, content["cursor"])


def _services(content: Any) -> list[dict[str, Any]]:
    services: list[dict[str, Any]] = content["services"]
    if not all(isinstance(service["sid"], str) for service in services):
        raise TypeError("a service without a sid")
    return services


def _page(content: Any) -> _Page:
    return _Page([_change(fields) for fields in content["changes"]], content["cursor"], content["more"])


def _change(fields: Any) -> Wanted:
    key = Key(fields["sid"], fields["date"])
    version = Version(fields["seq"], fields["etag"], fields["published_at"])
    return Wanted(key, version, _own_path(fields["href"]), fields["removed"])


def _own_path(href: str) -> str:
    """Raises ValueError for an address of another host, because the key must not go there."""
    if not (href.startswith("/") and href.isascii() and href.isprintable()) or href.startswith(("//", "/\\")):
        raise ValueError(f"not a path of the service: {href[:100]!r}")
    return href
