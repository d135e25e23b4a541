"""The application over fakes, holding published schedules made by hand, and partners who ask it.

Belongs here: the stage for routes that answer questions. Does not belong here: how the mirror is kept up to date.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

from delivery.guides import NOON
from fakes import FakeClock, FakeStore, fake_store
from starlette.testclient import TestClient

from schedules_pipeline.delivery.__main__ import build_delivery
from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.delivery.packing import pack
from schedules_pipeline.delivery.rendering import Rendering
from schedules_pipeline.documents.broadcasts import broadcast_fields, render_json
from schedules_pipeline.documents.catalogue_document import render_copy
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.documents.partner_document import Publication, hash_content, render_document
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.published import PublishedSchedule
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.settings import Settings

_NO_COPIES: Any = SimpleNamespace(read=partial(dict.fromkeys, ()))
"""Catalogue copies that can be sent to another process."""

_KEYS_ISSUED_AT = datetime(2026, 3, 1, tzinfo=UTC)


def document_of(listed: PublishedSchedule) -> bytes:
    """As the store has it."""
    content = render_json([broadcast_fields(shown) for shown in listed.broadcasts])
    publication = Publication(listed.seq, listed.published_at, hash_content(content))
    return render_document(listed.key, publication, content)


def held(listed: PublishedSchedule, *, removed: bool = False) -> MirroredSchedule:
    """As the mirror has it."""
    etag = (
        "" if removed else hash_content(render_json([broadcast_fields(shown) for shown in listed.broadcasts]))
    )
    packed = None if removed else pack(document_of(listed))
    return MirroredSchedule(listed.key, listed.seq, etag, listed.published_at, packed)


@dataclass
class Stage:
    """``client`` may see every service; :meth:`ask_as` makes other clients. ``rendering``: None for rendering in this
    process.
    """

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    settings: Settings = field(default_factory=Settings)
    rendering: Rendering | None = None

    def __post_init__(self) -> None:
        self.store: FakeStore = fake_store(self.clock)
        self.delivery = build_delivery(self.store.as_store(), self.settings, self.clock)
        if self.rendering is not None:
            self.delivery = replace(self.delivery, rendering=self.rendering, copies_elsewhere=_NO_COPIES)
        self._application = build_application(self.delivery)
        self.partners: list[Partner] = []
        self._position = 1
        self.delivery.mirror.replace(FeedCursor("1", "1-0"), (), self.clock())
        self.client = self.ask_as("everyone")

    def ask_as(
        self, name: str, services: tuple[str, ...] = ("*",), *, is_operator: bool = False
    ) -> TestClient:
        """A client with a key of its own."""
        issued = issue_key(name.encode().ljust(RANDOM_BYTES, b"."), _KEYS_ISSUED_AT)
        self.partners.append(
            Partner(
                name, _KEYS_ISSUED_AT, services, is_operator=is_operator, is_preview=True, keys=(issued.key,)
            )
        )
        self.delivery.admission.refresh(self.partners, {}, self.clock())
        return TestClient(self._application, headers={"Authorization": f"Bearer {issued.text}"})

    def publish(self, *schedules: PublishedSchedule) -> None:
        """Into the mirror, and into the index; the index forgets nothing."""
        self._position += 1
        for listed in schedules:
            self.store.references.register({listed.key: set(_entries(listed))}, self._position)
        self.delivery.mirror.advance(f"{self._position}-0", map(held, schedules), self.clock())

    def copy(self, *items: CatalogueItem, above: Iterable[PublishedSchedule] = ()) -> None:
        """Keep copies of these; ``above``: the schedules that depend on all of them as ancestors."""
        self.store.copies.copies |= {item.pid: render_copy(item) for item in items}
        for listed in above:
            self.store.references.register({listed.key: {Entry(item.pid) for item in items}}, 1)

    def get(self, path: str, **params: Any) -> Any:
        """The answer to ``client``, which must succeed."""
        response = self.client.get(path, params=params)
        response.raise_for_status()
        return response.json()

    def advance(self, by: timedelta) -> None:
        """Time passes, and the store says that nothing has changed."""
        self.clock.advance(by)
        self.delivery.mirror.confirmed_at = self.clock()


def _entries(listed: PublishedSchedule) -> Iterable[Entry]:
    for shown in listed.broadcasts:
        if shown.episode_pid is not None:
            yield Entry(shown.episode_pid, shown.broadcast_pid)
        yield from (Entry(item.pid) for item in (shown.series, shown.brand) if item is not None)
