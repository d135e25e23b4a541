"""The sources as a history leaves them, and the documents that follow from them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo.replay.oracle.days import Key

Document = dict[str, Any]
Content = list[Document]
"""The broadcasts of a partner document, in order."""

_MOST_ANCESTORS = 8
_FLAGS = ("is_repeat", "is_blanked", "is_signed", "is_audio_described")
_WRONG = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Edit:
    """One line of a history. ``document`` is None if it removes. ``name``: a pid, or a service and a date."""

    at: datetime
    name: str | Key
    document: Document | None


def read_edit(line: bytes) -> Edit:
    fields = json.loads(line)
    at = datetime.fromisoformat(fields["at"]).astimezone(UTC)
    name = fields["pid"] if fields["kind"] == "catalogue" else (fields["sid"], fields["date"])
    return Edit(at, name, None if fields["action"] in ("DELETE", "REMOVE") else fields["document"])


class Guide:
    """``sources``: the broadcasts of each schedule that has a document. ``unreadable``: schedules whose current
    document this oracle cannot read; it does not judge them.
    """

    def __init__(self) -> None:
        self.sources: dict[Key, Content] = {}
        self.unreadable: set[Key] = set()
        self._items: dict[str, Document] = {}
        self._readers: defaultdict[str, set[Key]] = defaultdict(set)
        self._reads: dict[Key, set[str]] = {}
        self._copied: set[str] = set()
        self._programmes: dict[str, tuple[Document, list[str]]] = {}

    def apply(self, edits: Iterable[Edit]) -> set[Key]:
        """Apply edits that are announced together; returns the schedules whose inputs have changed."""
        affected: set[Key] = set()
        # Readers see only the last state of each document, not the states in between.
        for name, document in {edit.name: edit.document for edit in edits}.items():
            if isinstance(name, str):
                affected |= self._set_item(name, document)
            else:
                self._set_schedule(name, document)
                affected.add(name)
        return affected

    def content(self, key: Key) -> Content | None:
        """The broadcasts that partners should have; None without a schedule."""
        source = self.sources.get(key)
        content = None if source is None else self.join(source)
        self._record_reads(key, source or [])
        return content

    def join(self, source: Content) -> Content:
        return [{**broadcast, **self._programme(broadcast["episode_pid"])[0]} for broadcast in source]

    def _set_item(self, pid: str, document: Document | None) -> set[Key]:
        before = self._items.get(pid)
        if document is None:
            # A deletion is not propagated: an item that schedules have read keeps its copy.
            if pid not in self._copied:
                self._items.pop(pid, None)
            return set()
        self._items[pid] = after = _visible(document)
        if after == before:
            return set()
        self._programmes.clear()
        return set(self._readers.get(pid, ()))

    def _set_schedule(self, key: Key, document: Document | None) -> None:
        self.unreadable.discard(key)
        if document is None:
            self.sources.pop(key, None)
            return
        try:
            slots = [_slot(broadcast) for broadcast in document["broadcasts"]]
        except _WRONG:
            self.unreadable.add(key)
        else:
            self.sources[key] = sorted(slots, key=lambda slot: (slot["start"], slot["broadcast_pid"]))

    def _record_reads(self, key: Key, source: Content) -> None:
        reads = {pid for slot in source for pid in self._programme(slot["episode_pid"])[1]}
        for pid in reads - self._reads.get(key, set()):
            self._readers[pid].add(key)
        for pid in self._reads.get(key, set()) - reads:
            self._readers[pid].discard(key)
        self._reads[key] = reads

    def _programme(self, pid: str) -> tuple[Document, list[str]]:
        if pid not in self._programmes:
            self._programmes[pid] = self._make_programme(pid)
        return self._programmes[pid]

    def _make_programme(self, pid: str) -> tuple[Document, list[str]]:
        """The programme of an episode, and every pid that it was read from, also one that is missing."""
        chain: list[Document] = []
        reads: list[str] = []
        while pid and pid not in reads and len(reads) <= _MOST_ANCESTORS:
            reads.append(pid)
            if pid not in self._items:
                break
            chain.append(self._items[pid])
            pid = chain[-1]["parent_pid"]
        self._copied |= {item["pid"] for item in chain}
        return _programme(chain), reads


def _programme(chain: Sequence[Document]) -> Document:
    titles = [item["presentation_title"] or item["title"] for item in reversed(chain)]
    titles = [title for title in titles if title]
    series = [item for item in chain[1:] if item["type"] == "series"]
    brands = [item for item in chain[1:] if item["type"] == "brand"]
    return {
        "episode": _episode(chain) if chain else None,
        "series": _titled(series[0]) if series else None,
        "brand": _titled(brands[-1]) if brands else None,
        "title": titles[0] if titles else "",
        "subtitle": ": ".join(titles[1:]),
    }


def _episode(chain: Sequence[Document]) -> Document:
    own = chain[0]
    images = [item["image_pid"] for item in chain if item["image_pid"]]
    episode = {name: own[name] for name in ("pid", "title", "synopses", "warning_text")}
    episode["image_pid"] = images[0] if images else ""
    if own["presentation_title"]:
        episode["presentation_title"] = own["presentation_title"]
    return episode | _position(own)


def _titled(item: Document) -> Document:
    return {"pid": item["pid"], "title": item["title"]} | _position(item)


def _position(item: Document) -> Document:
    return {} if item["position"] is None else {"position": item["position"]}


def _visible(document: Document) -> Document:
    """The fields of an item that any partner document shows."""
    kind = document["type"]
    is_episode, synopses = kind == "episode", document.get("synopses") or {}
    shown = {name: synopses.get(name) or "" for name in ("short", "medium", "long")}
    return {
        "pid": document["pid"],
        "type": kind,
        "title": document.get("title") or "",
        "parent_pid": "" if kind == "brand" else document.get("parent_pid") or "",
        "image_pid": document.get("image_pid") or "",
        "synopses": shown if is_episode else None,
        "warning_text": (document.get("warning_text") or None) if is_episode else None,
        "presentation_title": (document.get("presentation_title") or "") if is_episode else "",
        "position": None if kind == "brand" else document.get("position"),
    }


def _slot(broadcast: Document) -> Document:
    """Raises one of several errors if a broadcast cannot be read."""
    start, end = (_seconds(broadcast[name]) for name in ("start", "end"))
    if end <= start:
        raise ValueError("a broadcast ends before it starts")
    flags = {flag: broadcast.get(flag, False) for flag in _FLAGS}
    if not all(isinstance(value, bool) for value in flags.values()):
        raise TypeError("a flag is neither true nor false")
    shows = not flags["is_blanked"]
    return {
        "broadcast_pid": broadcast["broadcast_pid"],
        "version_pid": (broadcast.get("version_pid") or "") if shows else "",
        "start": _instant(start),
        "end": _instant(end),
        "duration_seconds": end - start,
        **flags,
        "episode_pid": (broadcast.get("episode_pid") or "") if shows else "",
    }


def _seconds(text: str) -> int:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant has no time zone")
    return int(at.timestamp())


def _instant(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
