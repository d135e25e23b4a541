"""The delivery service as its documents promise it, small enough to be seen to be right, and a shell that disturbs a
conversation with it between any two steps.
"""

import hashlib
import json
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qs, urlsplit

from schedules_client.conversation import Conversation
from schedules_client.steps import (
    Answer,
    Ask,
    Close,
    Failure,
    Load,
    Open,
    Read,
    Save,
    Step,
    Steps,
    Tell,
    Terms,
    Wait,
    Warn,
)
from schedules_client.store import Store

KEYS = [(sid, f"2026-03-{day}") for day in (28, 29) for sid in ("alder", "birch", "cedar", "drift", "elm")]
"""Five services a day, so that a first copy is fetched together and single changes are fetched alone."""

_HEARTBEAT = b"id: %b\n\n"


class Idle(Exception):
    """The conversation waits for a change, and none will come."""


class Disturbance(Enum):
    """What happens beside a step: a change of the world first, a failure of the step itself after it."""

    NOTHING = auto()
    PUBLISH = auto()
    REMOVE = auto()
    LOSE = auto()
    TRIM = auto()
    LAG = auto()
    FAIL = auto()
    BUSY = auto()
    GARBAGE = auto()
    CUT = auto()
    CRASH = auto()


@dataclass
class ModelService:
    """``epoch`` grows with each loss. ``behind``: what a process that lags behind would give as a bulk answer."""

    epoch: int = 0
    published: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    seqs: dict[tuple[str, str], int] = field(default_factory=dict)
    feed: list[dict[str, Any]] = field(default_factory=list)
    trimmed: int = 0
    behind: dict[tuple[str, str], dict[str, Any]] | None = None
    clock: int = 0
    streamed: int | None = None

    # What happens to it.

    def publish(self, number: int) -> None:
        key = KEYS[number % len(KEYS)]
        seq = self.seqs[key] = self.seqs.get(key, 0) + 1
        self.clock += 1
        # Content that repeats, so that etags return.
        broadcasts = [{"broadcast_pid": f"b{number % 3}"}]
        etag = hashlib.sha256(json.dumps(broadcasts).encode()).hexdigest()[:32]
        document = {
            "sid": key[0],
            "date": key[1],
            "seq": seq,
            "published_at": f"at {self.clock}",
            "etag": etag,
        }
        self.published[key] = document | {"broadcasts": broadcasts}
        self._announce(document)

    def remove(self, number: int) -> None:
        key = KEYS[number % len(KEYS)]
        if self.published.pop(key, None):
            self.seqs[key] += 1
            self.clock += 1
            row = {"sid": key[0], "date": key[1], "seq": self.seqs[key], "etag": ""}
            self._announce(row | {"published_at": f"at {self.clock}"}, removed=True)

    def lose(self, number: int) -> None:
        """Some schedules are gone, and numbers begin again; a new feed."""
        self.epoch += 1
        self.published = {
            key: value for key, value in self.published.items() if KEYS.index(key) % 3 != number % 3
        }
        self.seqs = {key: value["seq"] for key, value in self.published.items()}
        self.feed, self.trimmed, self.streamed = [], 0, None

    def trim(self) -> None:
        self.trimmed = len(self.feed)

    def _announce(self, row: dict[str, Any], *, removed: bool = False) -> None:
        href = f"/v1/schedules/{row['sid']}/{row['date']}?min_seq={row['seq']}"
        self.feed.append(row | {"removed": removed, "href": href, "broadcasts": 1})

    # What it answers.

    def answer(self, path: str, headers: Any) -> Answer:
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        match parts.path.split("/")[2:]:
            case ["services"]:
                return self._tagged(
                    {"services": [{"sid": sid, "name": sid} for sid in self._sids()]}, headers
                )
            case ["digest"]:
                return self._tagged(self._digest(), headers)
            case ["changes"]:
                return self._page(query["since"][0], int(query["limit"][0]), waits="wait" in query)
            case ["schedules"]:
                return _json(self._day(query["date"][0], query["sid"]))
            case ["schedules", sid, day]:
                found = self.published.get((sid, day))
                return self._tagged(found, headers) if found else _json({"detail": "not published"}, 404)
        raise AssertionError(path)

    def _sids(self) -> list[str]:
        return sorted({sid for sid, _ in self.published})

    def _digest(self) -> dict[str, Any]:
        services: dict[str, list[dict[str, Any]]] = {sid: [] for sid, _ in self.seqs}
        for (sid, day), seq in self.seqs.items():
            document = self.published.get((sid, day), {"seq": seq, "etag": None, "published_at": "at"})
            entry = {name: document[name] for name in ("seq", "etag", "published_at")}
            services[sid].append(entry | {"date": day, "removed": (sid, day) not in self.published})
        return {"cursor": self._cursor(len(self.feed)), "services": services}

    def _day(self, day: str, sids: list[str]) -> dict[str, Any]:
        """Makes no promise about versions: another process may be behind."""
        published = self.published if self.behind is None else self.behind
        self.behind = None
        found = [published[sid, day] for sid in sids if (sid, day) in published]
        return {"schedules": found, "missing": [{"sid": sid} for sid in sids if (sid, day) not in published]}

    def _page(self, cursor: str, limit: int, *, waits: bool) -> Answer:
        place = self._place(cursor)
        if place is None:
            return _json({"detail": "too old"}, 410)
        # Sometimes repeats the row before, as the protocol allows.
        rows = self.feed[max(place - self.clock % 2, self.trimmed) : place + limit]
        end = min(place + limit, len(self.feed))
        if waits and place == len(self.feed):
            raise Idle
        return _json({"changes": rows, "cursor": self._cursor(end), "more": end < len(self.feed)})

    def open_stream(self, cursor: str) -> Answer:
        self.streamed = self._place(cursor)
        if self.streamed is None:
            return _json({"detail": "too old"}, 410)
        return Answer(200, {"content-type": "text/event-stream; charset=utf-8"})

    def read_stream(self) -> bytes:
        if self.streamed is None:
            return b"event: reset\ndata: {}\n\n"
        if self.streamed == len(self.feed):
            raise Idle
        rows, self.streamed = list(enumerate(self.feed))[self.streamed :], len(self.feed)
        events = [
            f"id: {self._cursor(number + 1)}\nevent: change\ndata: {json.dumps(row)}\n\n"
            for number, row in rows
        ]
        return "".join(events).encode() + _HEARTBEAT % self._cursor(len(self.feed)).encode()

    def _cursor(self, place: int) -> str:
        return f"{self.epoch}.{place}"

    def _place(self, cursor: str) -> int | None:
        epoch, place = map(int, cursor.split("."))
        return place if epoch == self.epoch and place >= self.trimmed else None

    def _tagged(self, content: Any, headers: Any) -> Answer:
        tag = f'"{hashlib.sha256(json.dumps(content).encode()).hexdigest()}"'
        return Answer(304, {"etag": tag}) if headers.get("If-None-Match") == tag else _json(content, etag=tag)


def _json(content: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(content).encode())


_QUIET = Disturbance.NOTHING, 0


class Crash(Exception):
    """The client's process dies."""


@dataclass
class DisturbedShell:
    """Carries out the steps, each with the next disturbance, until they are used up and the conversation is idle."""

    service: ModelService
    store: Store
    disturbances: list[tuple[Disturbance, int]]
    now: float = 0.0
    told: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    was_garbage: bool = False

    def terms(self, *, streams: bool = True) -> Terms:
        return Terms("http://service", lambda: self.now, lambda: 0.5, streams=streams)

    def follow(self, *, streams: bool = True) -> None:
        """A new process after each crash, until one is idle."""
        while True:
            try:
                self.run(Conversation(self.terms(streams=streams)).follow())
            except Crash:
                self.service.streamed = None
            except Idle:
                return

    def run(self, steps: Steps[None]) -> None:
        outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration:
                return
            self.now += 0.01
            outcome = self._perform(step, *(self.disturbances.pop() if self.disturbances else _QUIET))

    def _perform(self, step: Step, disturbance: Disturbance, number: int) -> Any:
        self._happen(disturbance, number)
        if disturbance is Disturbance.CRASH:
            self._crash(step, number)
        match step:
            case Load():
                return self.store.load("source")
            case Save():
                return self.store.save(step.batch, "source")
            case Wait():
                self.now += step.seconds
            case Tell():
                self.told.extend(step.changes)
            case Ask() | Open():
                self.asked.append(step.path)
                return self._failure(disturbance) or self._answer(step)
            case Read():
                return None if disturbance is Disturbance.CUT else self._read()
            case Close() | Warn():
                pass
        return None

    def _happen(self, disturbance: Disturbance, number: int) -> None:
        match disturbance:
            case Disturbance.PUBLISH:
                self.service.publish(number)
            case Disturbance.REMOVE:
                self.service.remove(number)
            case Disturbance.LOSE:
                self.service.lose(number)
            case Disturbance.TRIM:
                self.service.trim()
            case Disturbance.LAG:
                self.service.behind = dict(self.service.published)
                self.service.publish(number)
                self.service.remove(number + 1)

    def _crash(self, step: Step, number: int) -> None:
        """Within a transaction, too: SQLite stops at some instruction."""
        if isinstance(step, Save):
            once = iter([1])
            self.store._database.set_progress_handler(lambda: next(once, 0), 1 + number)
            try:
                self.store.save(step.batch, "source")
            except Exception as error:
                raise Crash from error
            finally:
                self.store._database.set_progress_handler(None, 0)
        raise Crash

    def _failure(self, disturbance: Disturbance) -> Answer | Failure | None:
        match disturbance:
            case Disturbance.FAIL | Disturbance.CUT:
                return Failure("refused")
            case Disturbance.BUSY:
                return Answer(503, {"retry-after": "7"}, b"{}")
            case Disturbance.GARBAGE if not self.was_garbage:
                # Three in a row would be a wrong address.
                self.was_garbage = True
                return Answer(200, {}, b"[")
        self.was_garbage = False
        return None

    def _answer(self, step: Ask | Open) -> Answer:
        if isinstance(step, Open):
            return self.service.open_stream(step.headers["Last-Event-ID"])
        try:
            return self.service.answer(step.path, step.headers)
        except Idle:
            if not self.disturbances:
                raise
            return self.service.answer(step.path.replace("&wait=", "&waited="), step.headers)

    def _read(self) -> bytes:
        try:
            return self.service.read_stream()
        except Idle:
            if not self.disturbances:
                raise
            return b": still there\n\n"
