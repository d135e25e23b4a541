"""The expected state of a store when nothing is pending, from a build of everything in an empty store.

It uses a store's ports only, so it works on fakes and Redis alike.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from random import Random

import orjson
from fakes import FakeClock, FakeUpstreams, fake_store, fake_upstreams, pipeline_over

from schedules_pipeline.composition import Store
from schedules_pipeline.documents.accepted_schedule import AcceptedSchedule, parse_accepted, read_source
from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.dependencies import Dependencies, Entry, dependencies
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.programme import resolve_programme
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.publishing.ports.schedules import ScheduleState

Contents = dict[ScheduleKey, bytes]


def contents(store: Store, keys: Sequence[ScheduleKey]) -> Contents:
    """The published content of each schedule, without the envelope."""
    return {key: split_document(document)[1] for key, document in store.schedules.documents(keys).items()}


def coldstart(
    upstreams: FakeUpstreams, keys: Sequence[ScheduleKey], horizon: RetentionHorizon = KEEPS_EVERYTHING
) -> Contents:
    """The contents after a build of everything from these sources in an empty store."""
    clock = FakeClock()
    store = fake_store(clock).as_store()
    publisher = pipeline_over(store, upstreams, clock, horizon).publisher
    cause = Cause("from scratch", Origin.COLDSTART, "", clock())
    publisher.rebuild_from_sources(keys, cause)
    _confirm(upstreams, unconfirmed := sorted(store.rejections.all()))
    publisher.rebuild_from_sources([key for key in keys if str(key) in unconfirmed], cause)
    return contents(store, keys)


def as_accepted(store: Store, keys: Sequence[ScheduleKey], pids: Sequence[Pid]) -> FakeUpstreams:
    """Sources that hold exactly the accepted documents and the copies of this store."""
    sources = fake_upstreams(FakeClock(), Random(0))
    for key, accepted in accepted_schedules(store, keys).items():
        sources.schedule_source.put(key, _source_document(key, accepted))
    for pid, copy in store.copies.read(pids).items():
        sources.catalogue_source.documents[pid] = _catalogue_document(pid, copy)
    return sources


def accepted_schedules(store: Store, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, AcceptedSchedule]:
    states = store.schedules.read(keys).values()
    return {s.key: parse_accepted(s.accepted) for s in states if s.accepted is not None}


def find_missing_entries(store: Store, keys: Sequence[ScheduleKey], pids: Sequence[Pid]) -> list[str]:
    """Index entries that the accepted documents and the copies require and the index lacks."""
    items = {pid: parse_copy(pid, copy) for pid, copy in store.copies.read(pids).items()}
    needed = {
        key: _reads(accepted, lambda pid: resolve_programme(pid, items.get).reads)
        for key, accepted in accepted_schedules(store, keys).items()
    }
    return [
        f"{key} {entry}" for key, entries in store.references.missing(needed).items() for entry in entries
    ]


def find_superfluous_entries(store: Store) -> list[str]:
    """Index entries that no committed state requires."""
    found = [
        (key, Entry(pid, broadcast))
        for pids in store.references.pids()
        for pid, references in store.references.references(pids).items()
        for key, broadcast in references
    ]
    states = store.schedules.read(sorted({key for key, _ in found}))
    needed = {key: _committed_dependencies(state) for key, state in states.items()}
    return [f"{key} {entry}" for key, entry in found if entry not in needed[key]]


def replay_feed(store: Store) -> dict[ScheduleKey, Change]:
    """Read the whole feed as a partner does. Raises AssertionError if the numbers of a schedule have a gap or go
    back; after a forgotten removal they may begin again.
    """
    latest: dict[ScheduleKey, Change] = {}
    for entry in store.feed.read_after("0", 1_000_000):
        change = entry.change
        before = latest.get(change.key)
        number = before.seq if before is not None else 0
        begins_anew = change.seq == 1 and before is not None and before.is_removal
        assert begins_anew or change.seq == number + 1, f"{change.key}: {change.seq} follows {number}"
        latest[change.key] = change
    return latest


def _confirm(upstreams: FakeUpstreams, subjects: Iterable[str]) -> None:
    """Put empty documents twice, which even a trusted source must do."""
    objects = upstreams.schedule_source.objects
    for key in [key for key in objects if str(key) in subjects]:
        upstreams.schedule_source.put(key, objects[key].content)


def _committed_dependencies(state: ScheduleState) -> Dependencies:
    shown = () if state.accepted is None else parse_accepted(state.accepted).shown()
    return dependencies(shown, state.ancestors)


def _reads(accepted: AcceptedSchedule, reads: Callable[[Pid], tuple[Pid, ...]]) -> Iterable[Entry]:
    shown = [Entry(*mention) for mention in accepted.shown()]
    return [*shown, *(Entry(pid) for episode in accepted.episodes() for pid in reads(episode)[1:])]


def _source_document(key: ScheduleKey, accepted: AcceptedSchedule) -> bytes:
    schedule = read_source(key, accepted)
    broadcasts = [vars(slot) for slot in schedule.slots]
    head = {"sid": key.sid, "date": key.date, "published_at": schedule.published_at}
    return orjson.dumps({**head, "broadcasts": broadcasts})


def _catalogue_document(pid: Pid, copy: bytes) -> bytes:
    item = parse_copy(pid, copy)
    return orjson.dumps({**asdict(item), "type": item.kind})
