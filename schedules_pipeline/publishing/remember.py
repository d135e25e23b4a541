"""Decodes what builds will probably need, while nothing is pending.

A process remembers the sources and items that it has decoded. One that has just started remembers nothing, so its first
large batch would take half as long again (docs/adr/0051).
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Literal

from schedules_pipeline.documents.accepted_schedule import parse_accepted
from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.documents.partner_document import render_programmes
from schedules_pipeline.documents.stored_form import REMEMBERED
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.programme import resolve_programmes
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.ports import PublishingStore

_AT_ONCE = 10
"""They take a few milliseconds. A change that arrives in that time waits for them."""


def remember_in_steps(store: PublishingStore) -> Iterator[Literal[True]]:
    """Read and decode some more stored schedules with each step, until as many are remembered as can be."""
    keys = islice(chain.from_iterable(store.schedules.stored_keys()), REMEMBERED)
    while some := list(islice(keys, _AT_ONCE)):
        # A build tells of a record that cannot be decoded.
        with suppress(InvalidRecord):
            _remember(store, some)
        yield True


def _remember(store: PublishingStore, keys: Sequence[ScheduleKey]) -> None:
    states = store.schedules.read(keys).values()
    sources = [parse_accepted(state.accepted) for state in states if state.accepted is not None]
    episodes = set().union(*(source.episodes() for source in sources))
    pids = episodes.union(*(state.ancestors for state in states))
    items = {pid: parse_copy(pid, copy) for pid, copy in store.copies.read(sorted(pids)).items()}
    render_programmes(resolve_programmes(episodes, items.get))
