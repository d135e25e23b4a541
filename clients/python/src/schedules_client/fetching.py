"""Fetching schedules: many of one day in one answer, and single ones by the address that a change names."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from schedules_client.asking import Asker, Reply
from schedules_client.steps import Ask, Document, Held, Key, Steps, Version

_OK, _NOT_MODIFIED, _NOT_FOUND = 200, 304, 404
_NOT_TOGETHER = (400, 404, 413, 414, 431)
_FEW = 3
_MOST_SERVICES = 500
_MOST_CHARACTERS = 6_000
"""Of a query: proxies take a line of 8,000."""


class Wanted(NamedTuple):
    """A version that was announced. ``href``: a path of the service, with a query."""

    key: Key
    version: Version
    href: str
    is_removal: bool = False


class Fetched(NamedTuple):
    documents: list[Document]
    removed: list[Key]


class Fetcher:
    """``held``: what the store holds; the conversation keeps it up to date."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self.held: dict[Key, Held] = {}

    def parts(self, wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
        """Parts of one day each that fit into one request."""
        by_date: dict[str, list[Wanted]] = defaultdict(list)
        for each in wanted:
            by_date[each.key.date].append(each)
        for day in by_date.values():
            part: list[Wanted] = []
            characters = 0
            for each in day:
                characters += len(each.key.sid) + len("&sid=")
                if part and (len(part) == _MOST_SERVICES or characters > _MOST_CHARACTERS):
                    yield part
                    part, characters = [], len(each.key.sid)
                part.append(each)
            yield part

    def fetch(self, part: Sequence[Wanted]) -> Steps[Fetched]:
        """The versions of a part. The bulk answer makes no promise about versions, so a schedule that it gives in
        another version than announced, or not at all, is asked for by its own address.
        """
        fetched = Fetched([], [])
        if len(part) > _FEW:
            fetched.documents.extend((yield from self._together(part)))
        have = {document.key for document in fetched.documents}
        for each in part:
            if each.key not in have:
                yield from self._single(each, fetched)
        return fetched

    def _together(self, part: Sequence[Wanted]) -> Steps[list[Document]]:
        query = urlencode([("date", part[0].key.date), *(("sid", each.key.sid) for each in part)])
        reply: Reply = yield from self._asker.ask(
            Ask(f"/v1/schedules?{query}", within_seconds=120.0), _documents, _NOT_TOGETHER
        )
        versions = {each.key: each.version for each in part}
        return [
            document
            for document in reply.content or ()
            if document.held.version == versions.get(document.key)
        ]

    def _single(self, wanted: Wanted, fetched: Fetched) -> Steps[None]:
        held = self.held.get(wanted.key)
        headers = {"If-None-Match": held.validator} if held and held.validator else {}
        reply: Reply = yield from self._asker.ask(
            Ask(wanted.href, headers), partial(_document, key=wanted.key), (_NOT_MODIFIED, _NOT_FOUND)
        )
        if reply.status == _NOT_FOUND:
            fetched.removed.append(wanted.key)
        elif reply.status == _OK:
            document: Document = reply.content
            validator = reply.headers.get("etag", "")
            fetched.documents.append(document._replace(held=document.held._replace(validator=validator)))


def _documents(content: Any) -> list[Document]:
    return [_document(fields) for fields in content["schedules"]]


def _document(content: Any, key: Key | None = None) -> Document:
    found = Key(content["sid"], content["date"])
    if key not in (None, found) or not isinstance(content["broadcasts"], list):
        raise ValueError(f"not the schedule {key}")
    version = Version(content["seq"], content["etag"], content["published_at"])
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    text.encode()  # raises ValueError for half a character, which SQLite cannot store
    return Document(found, Held(version), text)
