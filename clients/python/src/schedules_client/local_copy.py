"""Reading the local copy, which needs no network."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from schedules_client.merging import each_once
from schedules_client.model import Change, NowNext, Schedule, Service
from schedules_client.store import Store
from schedules_client.xmltv import Channel, XmltvOptions, write_xmltv

_DAY = timedelta(days=1)


class LocalCopy:
    """The schedules in a store. May be read while another thread or process keeps the store current."""

    def __init__(self, store: str | Path | Store) -> None:
        self.store = store if isinstance(store, Store) else Store(store)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.store.path)!r})"

    @property
    def revision(self) -> int:
        """The number of the latest change; 0 in an empty copy."""
        return self.store.revision()

    def schedule(self, sid: str, date: date | str) -> Schedule | None:
        """One service on one broadcast day; None if that is not published."""
        document = self.store.document(sid, str(date))
        return None if document is None else Schedule.parse(document)

    def schedules(
        self, sid: str | None = None, *, first: date | None = None, last: date | None = None
    ) -> Iterator[Schedule]:
        """By service, then by date; both dates are included. One schedule is in memory at a time."""
        documents = self.store.documents(sid, _text(first), _text(last))
        return map(Schedule.parse, documents)

    def services(self) -> list[Service]:
        """The services that have schedules, in order of their sids."""
        described = self.store.service_documents()
        found = []
        for sid, first, last, count in self.store.days():
            fields = described.get(sid, {})
            name, is_radio = fields.get("name") or sid, bool(fields.get("is_radio"))
            found.append(
                Service(sid, name, is_radio, date.fromisoformat(first), date.fromisoformat(last), count)
            )
        return found

    def now_next(self, at: datetime | None = None, *, count: int = 1) -> list[NowNext]:
        """What is on at an instant (now by default), and up to ``count`` broadcasts that follow, of every service.

        Raises ValueError if ``at`` has no time zone.
        """
        at = datetime.now(UTC) if at is None else at
        if at.tzinfo is None:
            raise ValueError("`at` needs a time zone, such as datetime.now(UTC)")
        day = at.astimezone(UTC).date()
        return [self._now_next(service, at, day, count) for service in self.services()]

    def _now_next(self, service: Service, at: datetime, day: date, count: int) -> NowNext:
        broadcasts = each_once(self.schedules(service.sid, first=day - _DAY, last=day + _DAY))
        on_air = [broadcast for broadcast in broadcasts if broadcast.start <= at < broadcast.end]
        coming = [broadcast for broadcast in broadcasts if broadcast.start > at]
        return NowNext(service, on_air[-1] if on_air else None, tuple(coming[:count]))

    def changes(self, after: int = 0) -> list[Change]:
        """The schedules that changed after a revision, each once with its latest change, in order of revision."""
        return self.store.changes(after)

    def write_xmltv(
        self,
        path: str | Path,
        *,
        sids: Iterable[str] | None = None,
        first: date | None = None,
        last: date | None = None,
        options: XmltvOptions | None = None,
    ) -> None:
        """Write an XMLTV guide of these services (all by default) and days, both included.

        The file is replaced when the new one is complete, so a reader finds the whole old or the whole new one.
        """
        wanted = None if sids is None else set(sids)
        days = _text(first), _text(last)
        channels = [
            Channel(service.sid, service.name, self.store.versions(service.sid, *days))
            for service in self.services()
            if wanted is None or service.sid in wanted
        ]
        write_xmltv(
            Path(path),
            channels,
            lambda sid: list(self.schedules(sid, first=first, last=last)),
            options or XmltvOptions(),
        )

    def close(self) -> None:
        """Close the file."""
        self.store.close()


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
