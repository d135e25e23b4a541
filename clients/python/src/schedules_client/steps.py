"""The steps of a conversation with the service, and their outcomes. A shell carries them out; the core decides them.

Each step's docstring says what the shell sends back into the generator.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, TypeVar

from schedules_client.model import Change

T = TypeVar("T")


class Key(NamedTuple):
    """Which schedule."""

    sid: str
    date: str


class Version(NamedTuple):
    """Compared for equality only: after a data loss at the publisher, a number may return with other content."""

    seq: int
    etag: str
    published_at: str


class Held(NamedTuple):
    """A schedule of the store. ``validator``: the ``ETag`` of the answer that it came from, or ""."""

    version: Version
    validator: str = ""


class Document(NamedTuple):
    """A schedule as the service gave it. ``text``: its JSON."""

    key: Key
    held: Held
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """``cursor``: "" if the store must begin with the digest. ``checked_at``: when it last read the digest."""

    cursor: str = ""
    digest_tag: str = ""
    services_tag: str = ""
    checked_at: float = 0.0
    held: Mapping[Key, Held] = field(default_factory=dict)
    named: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction. What is None stays as it is."""

    documents: Sequence[Document] = field(default_factory=list)
    removed: Sequence[Key] = field(default_factory=list)
    cursor: str | None = None
    digest_tag: str | None = None
    checked_at: float | None = None
    services: Sequence[Mapping[str, Any]] | None = None
    services_tag: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The names in ``headers`` are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer arrived, or not all of it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A GET request: :class:`Answer` or :class:`Failure`. ``path`` begins with a slash and may have a query."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    within_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Open:
    """A GET request whose body is read by :class:`Read` if its status is 200: as :class:`Ask`."""

    path: str
    headers: Mapping[str, str]
    within_seconds: float


@dataclass(frozen=True, slots=True)
class Read:
    """The next bytes of the open body; None if it ended, broke, or was silent for that time."""


@dataclass(frozen=True, slots=True)
class Close:
    """Ends the open body: None."""


@dataclass(frozen=True, slots=True)
class Wait:
    """None, after that time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """The :class:`State` of the store."""


@dataclass(frozen=True, slots=True)
class Save:
    """A tuple of :class:`~schedules_client.model.Change`, after the batch is durable: all of it or nothing."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Tell:
    """None, after the user has had these changes."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Warn:
    """None, after the text was logged."""

    text: str


Step: TypeAlias = Ask | Open | Read | Close | Wait | Load | Save | Tell | Warn
Steps: TypeAlias = Generator[Step, Any, T]


@dataclass(frozen=True, slots=True)
class Terms:
    """``address``: of the service, for messages. ``give_up_seconds``: for how long a failing service is asked again;
    None: for ever. ``check_seconds``: how often the digest is read although the cursor is valid, which finds services
    that were added to the key. ``streams``: listen to the stream, otherwise poll.
    """

    address: str
    clock: Callable[[], float]
    random: Callable[[], float]
    give_up_seconds: float | None = None
    check_seconds: float = 86_400.0
    streams: bool = True
