"""A pusher over fakes: a feed, a receiver and a file store that can fail."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from builders import a_change
from fakes import Conditions, Fake, FakeClock, FakeStore, fake_store, step

from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.documents.partner_document import Publication, render_document
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.push.lanes import Lanes, ThreadLanes
from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.push import Pusher, PushReport
from schedules_pipeline.push.push_changes import WebhookPush
from schedules_pipeline.push.push_files import FilePolicy, FilesPush
from schedules_pipeline.push.shared_rows import SharedRows
from schedules_pipeline.push.subscription import Progress, Standing, Subscription, SubscriptionKind
from schedules_pipeline.push.turn import LEASE_FOR
from schedules_pipeline.push.webhook_event import BATCH

EPOCH = "life-1"
MASTER = b"a master secret that is no secret at all"
CREATED_AT = datetime(2026, 3, 28, 11, tzinfo=UTC)
KEY, OTHER, HIDDEN = (
    ScheduleKey.parse(f"{sid}/2026-03-28") for sid in ("alder_one", "birch_two", "cedar_hidden")
)
HOOK, FILES = "harbour-webhook", "harbour-files"
ACCEPTED = Answer(204)


class Killed(BaseException):
    """The process dies at this point."""


class DiesAt(Conditions):
    """Dies after a number of steps."""

    def __init__(self) -> None:
        self.left: int | None = None

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Killed


class FakeReceiver(Fake):
    """Gives the prepared answers, and then accepts everything. ``state`` applies accepted events as a partner would."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.answers: list[Answer] = []
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.accepted: list[dict[str, Any]] = []

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        answer = self._arrive(url, dict(headers), body)
        self.conditions.checkpoint("post answers")
        return answer

    @step
    def _arrive(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        self.received.append((url, headers, body))
        if answer.status // 100 == 2:
            self.accepted += events_in(body)
        return answer

    def ids(self) -> list[str]:
        return [event["id"] for event in self.accepted]

    def data(self) -> list[tuple[str, int]]:
        """The schedule and number of each accepted change, in order."""
        return [(f"{e['data']['sid']}/{e['data']['date']}", e["data"]["seq"]) for e in self.accepted]

    def state(self) -> dict[str, int]:
        """The latest number of each schedule that is not removed, in the partner's copy."""
        held: dict[str, int] = {}
        for event in self.accepted:
            data = event["data"]
            key = f"{data['sid']}/{data['date']}"
            held.pop(key, None)
            if event["type"] == "schedule.published":
                held[key] = data["seq"]
        return held


class FakeFileStore(Fake):
    """Implements :class:`FileStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.objects: dict[str, bytes] = {}

    @step
    def put(self, name: str, content: bytes, media_type: str) -> None:
        self.objects[name] = content

    @step
    def read(self, name: str) -> bytes | None:
        return self.objects.get(name)

    @step
    def delete(self, name: str) -> None:
        self.objects.pop(name, None)

    @step
    def names(self, prefix: str) -> Iterator[str]:
        return iter([name for name in sorted(self.objects) if name.startswith(prefix)])


@dataclass
class PushStage:
    """One partner with a webhook, which may see all services but one; the pipeline serves partners."""

    conditions: DiesAt = field(default_factory=DiesAt)
    clock: FakeClock = field(default_factory=FakeClock)
    documents: dict[ScheduleKey, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store: FakeStore = fake_store(self.clock, self.conditions)
        self.receiver = FakeReceiver(self.conditions)
        self.files = FakeFileStore(self.conditions)
        self.seqs: dict[ScheduleKey, int] = {}
        self.pusher = self.new_pusher()
        self.store.coldstarts.begin_epoch(EPOCH)
        self.store.served.change(ServedState(1, ServedSource.OURS, CREATED_AT, "me", "", None, forced=False))
        self.store.partners.create(Partner("harbour", CREATED_AT, ("alder*", "birch*")))

    def new_pusher(
        self, master: bytes | None = MASTER, open_lanes: Callable[[int], Lanes] = ThreadLanes
    ) -> Pusher:
        feed, rows = self.store.feed, SharedRows(self.store.feed, limit=3)
        return Pusher(
            self.store.as_store(),
            WebhookPush(feed, rows, self.receiver, master, open_lanes),
            FilesPush(feed, rows, self._documents_of, self.files, FilePolicy()),
            self.clock,
            jitter=lambda: 1.0,
        )

    def subscribe_webhook(self, position: str = "0", epoch: str = EPOCH, **choices: Any) -> Subscription:
        address = "https://push.example.org/in"
        made = Subscription(HOOK, "harbour", SubscriptionKind.WEBHOOK, address, CREATED_AT, **choices)
        self.store.subscriptions.create(made, Progress(position, epoch))
        return made

    def subscribe_files(self, position: str = "0", epoch: str = EPOCH) -> Subscription:
        made = Subscription(FILES, "harbour", SubscriptionKind.FILES, "to/harbour", CREATED_AT, ("json",))
        self.store.subscriptions.create(made, Progress(position, epoch))
        return made

    def publish(self, key: ScheduleKey, *, removed: bool = False) -> int:
        """Publish the next version of a schedule, or its removal; returns its number."""
        seq = self.seqs[key] = self.seqs.get(key, 0) + 1
        etag = "" if removed else f"{seq:032x}"
        row = a_change(key, seq, etag=etag, published_at=self.clock())
        if removed:
            self.documents.pop(key, None)
        else:
            self.documents[key] = render_document(key, Publication(seq, self.clock(), etag), b"[]")
        self.store.feed.append([(key, seq, render_row(row))])
        return seq

    def published(self) -> dict[str, int]:
        """The published state of the partner's services."""
        heads = self.store.feed.heads()
        return {str(k): c.seq for k, c in heads.items() if not c.is_removal and k.sid != HIDDEN.sid}

    def push(self, name: str = HOOK) -> PushReport:
        return self.pusher.push(name)

    def push_all(self, name: str = HOOK) -> None:
        """Let time pass until everything is delivered."""
        for _ in range(100):
            standing = self.standing(name)
            if (
                standing.progress.position == self.store.feed.last_position()
                and not standing.progress.problem
            ):
                return
            self.clock.advance(LEASE_FOR)
            self.push(name)
        raise AssertionError(f"{name} never came to the end: {self.standing(name)}")

    def die_while_pushing(self, steps: int, name: str = HOOK) -> bool:
        """Whether the turn survived this number of steps. If not, the process is dead and its lease expires."""
        self.conditions.left = steps
        try:
            self.push(name)
        except Killed:
            self.clock.advance(LEASE_FOR)
            return False
        finally:
            self.conditions.left = None
        return True

    def standing(self, name: str = HOOK) -> Standing:
        found = self.store.subscriptions.one(name)
        assert found is not None
        return found

    def wait(self, **duration: float) -> None:
        self.clock.advance(timedelta(**duration))

    def _documents_of(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        self.conditions.checkpoint("documents")
        return {key: self.documents[key] for key in keys if key in self.documents}


def events_in(body: bytes) -> list[dict[str, Any]]:
    """The events of a request, in either envelope, alone or in a batch."""
    message = orjson.loads(body)
    if isinstance(message, list):
        return message
    return message["data"]["events"] if message["type"] == BATCH else [message]


def version_id(key: ScheduleKey, seq: int, epoch: str = EPOCH) -> str:
    """The id of the event about a version."""
    return f"chg_{epoch}_{key.sid}_{key.date}_{seq}"


def cursor_at(position: str, epoch: str = EPOCH) -> str:
    return render_cursor(FeedCursor(epoch, position))
