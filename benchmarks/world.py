"""The data of the benchmarks: parts of the invented broadcaster's sample, with added brands and items."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import cycle, islice

import orjson
from redis import Redis

from demo.sample import Document, Sample, SourceKey, derive_pid, make_sample
from demo.upstream import CATALOGUE_PREFIX
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid

FIRST_DATE = date(2026, 6, 1)
"""A fixed first day, for samples without Dagster."""

_PLANTED_AT = 2
_WRITTEN_AT_ONCE = 1_000
_TEXT = "What happens next is known to nobody but the author of this sentence, and perhaps not even there."


def whole_sample(first: date, days: int, services: int = 44) -> Sample:
    """The first ``services`` of the broadcaster's 44, on ``days`` days, with the whole catalogue."""
    sample = make_sample(first, days, clock_change_days=False)
    sids = sorted({sid for sid, _ in sample.schedules})[:services]
    return Sample(sample.catalogue, {key: d for key, d in sample.schedules.items() if key[0] in sids})


def regional_sample(variants: int, days: int) -> Sample:
    """Regional variants of one channel, which share nearly all episodes, with the items that they use."""
    sample = make_sample(FIRST_DATE, days, clock_change_days=False)
    regions = sorted({sid for sid, _ in sample.schedules if _is_regional(sid)})[:variants]
    schedules = {key: d for key, d in sample.schedules.items() if key[0] in regions}
    used = used_pids(sample.catalogue, schedules.values())
    return Sample({pid: d for pid, d in sample.catalogue.items() if pid in used}, schedules)


def add_brand(sample: Sample, keys: Sequence[SourceKey], name: str) -> tuple[Sample, Document]:
    """Show an episode of a new brand in each of these schedules, the same on the same day.

    Answers with the sample and the brand's document; nothing else depends on that brand.
    """
    brand: Document = {"pid": derive_pid(name, "b"), "type": "brand", "title": name, "image_pid": ""}
    catalogue = {**sample.catalogue, brand["pid"]: brand}
    schedules = dict(sample.schedules)
    for key in keys:
        episode = _planted_episode(brand, key[1])
        catalogue[episode["pid"]] = episode
        schedules[key] = _with_episode(schedules[key], episode["pid"])
    return Sample(catalogue, schedules), brand


def used_pids(catalogue: Mapping[str, Document], schedules: Iterable[Document]) -> set[str]:
    """Every pid that a build of these schedules reads: episodes and ancestors, missing ones included."""
    pending = {b["episode_pid"] for d in schedules for b in d["broadcasts"] if not b["is_blanked"]}
    used: set[str] = set()
    while pending:
        used |= pending
        parents = {catalogue[pid].get("parent_pid") for pid in pending if pid in catalogue}
        pending = {parent for parent in parents if parent} - used
    return used


def unused_items(catalogue: Mapping[str, Document], count: int) -> Iterator[Document]:
    """Add ``amount`` items of the same kinds and lengths that no schedule shows."""
    for number, document in enumerate(islice(cycle(list(catalogue.values())), count)):
        yield document | {"pid": derive_pid(f"unused/{number}", "c")}


def write_catalogue(redis: Redis, documents: Iterable[Document]) -> None:
    """Write documents to the catalogue keyspace, without a notification."""
    pending = iter(documents)
    while batch := list(islice(pending, _WRITTEN_AT_ONCE)):
        redis.mset({CATALOGUE_PREFIX + d["pid"]: orjson.dumps(d) for d in batch})


def schedule_key(key: SourceKey) -> ScheduleKey:
    return ScheduleKey(Sid(key[0]), key[1])


def source_documents(sample: Sample) -> dict[ScheduleKey, bytes]:
    """The schedule documents as they are in the bucket."""
    return {schedule_key(key): orjson.dumps(document) for key, document in sample.schedules.items()}


def _is_regional(sid: str) -> bool:
    return sid.startswith("alder_one_") and not sid.endswith("_hd")


def _planted_episode(brand: Document, on: date) -> Document:
    name = f"{brand['title']}/{on}"
    return {
        "pid": derive_pid(name, "b"),
        "type": "episode",
        "title": f"Part of {on:%d %B}",
        "parent_pid": brand["pid"],
        "synopses": {"short": _TEXT, "medium": f"{_TEXT} {_TEXT}", "long": ""},
        "image_pid": derive_pid(f"image/{name}", "p"),
        "warning_text": None,
    }


def _with_episode(schedule: Document, episode_pid: str) -> Document:
    broadcasts = list(schedule["broadcasts"])
    broadcasts[_PLANTED_AT] = broadcasts[_PLANTED_AT] | {"episode_pid": episode_pid, "is_blanked": False}
    return schedule | {"broadcasts": broadcasts}
