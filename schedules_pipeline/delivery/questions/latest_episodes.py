"""The latest episodes of brands: new, changed and withdrawn ones since the client's last request.

The service stores no state of clients. A request lists the episodes that the client holds, with their etags, and the
answer is the difference. For one ``since`` and one choice of services the guarantee is: a client that applies every
answer (adds or replaces new and changed episodes, drops withdrawn ones) holds for each brand the same episodes as a
client that asks for the first time. It may also hold older episodes, from before newer ones came; those are current
too.

Episodes first shown before ``since`` are final: a client that advances ``since`` keeps them, and a repeat does not
return them again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Any

from schedules_pipeline.documents.broadcasts import airing_fields, render_json
from schedules_pipeline.domain.airing import Airing, Place, find_wanted
from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.published import PublishedSchedule
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.errors import InvalidIdentifier

MOST_BRANDS = 50
MOST_OF_A_BRAND = 50
MOST_GIVEN = 1_000
MOST_DAYS_BACK = 31
MOST_SCHEDULES = 1_000
"""How many schedules one request may read: no more than the mirror remembers in parsed form."""
ETAG_PATTERN = "^[0-9a-f]{1,9}-[0-9a-f]{16}$"

_DAYS_BEFORE = 2
_DAYS_AFTER = 1
_ETAG_BYTES = 8


@dataclass(frozen=True, slots=True)
class KnownEpisode:
    """An episode that the client holds. Its etag contains when it was first shown, as known at that time."""

    episode_pid: Pid
    etag: str

    @property
    def first_shown_at(self) -> datetime:
        """Raises :class:`InvalidIdentifier` if the service cannot have issued the etag."""
        try:
            return datetime.fromtimestamp(int(self.etag.partition("-")[0], 16), UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise InvalidIdentifier(f"not an etag of this service: {self.etag[:60]!r}") from error


@dataclass(frozen=True, slots=True)
class LatestEpisode:
    """An episode at its first airing since then. ``fields`` is all that the asker is told; so a later airing
    changes neither them nor the etag.
    """

    brand_pid: Pid
    episode_pid: Pid
    place: Place
    etag: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EpisodeChanges:
    """``unchanged``: how many of the held episodes are neither changed nor withdrawn."""

    new: tuple[LatestEpisode, ...]
    changed: tuple[LatestEpisode, ...]
    withdrawn: tuple[Pid, ...]
    unchanged: int


def earliest_since(horizon: RetentionHorizon, now: datetime) -> datetime:
    """The earliest ``since`` that retention covers, so that expired schedules do not count as withdrawn."""
    kept_days = min(horizon.days, MOST_DAYS_BACK) if horizon.days else MOST_DAYS_BACK
    # A showing in the first hours of a date may be of the broadcast day before it, in any time zone.
    first = now.astimezone(UTC).date() - timedelta(days=max(kept_days - _DAYS_BEFORE, 0))
    return datetime.combine(first, time(), UTC)


def plan_schedules(
    references: Iterable[Reference], since: datetime, now: datetime, may_see: Callable[[Sid], bool]
) -> list[ScheduleKey]:
    """The schedules that may show anything of the brands that has begun since then; and those of the days beside
    them, for one of these may have been published later, and list the same broadcast otherwise.
    """
    first, last = _days_between(since, now)
    listed = {r.key for r in references if first <= r.key.date <= last and may_see(r.key.sid)}
    return sorted({around for key in listed for around in key.with_neighbours})


def _days_between(since: datetime, now: datetime) -> tuple[date, date]:
    return since.date() - timedelta(days=_DAYS_BEFORE), now.date() + timedelta(days=_DAYS_AFTER)


def find_episodes(
    schedules: Sequence[PublishedSchedule], brands: Iterable[Pid], since: datetime, now: datetime
) -> dict[Pid, LatestEpisode]:
    """Every episode of these brands with an airing that has begun, at its first since then.

    The brand is the one that the document names: the topmost above the episode.
    """
    wanted = frozenset(brands)
    found: dict[Pid, LatestEpisode] = {}
    for airing in find_wanted(schedules, lambda shown: shown.brand is not None and shown.brand.pid in wanted):
        pid, brand = airing.broadcast.episode_pid, airing.broadcast.brand
        has_begun = since <= airing.broadcast.start <= now
        if has_begun and pid is not None and pid not in found and brand is not None:
            found[pid] = _at(airing, pid, brand.pid)
    return found


def compare_episodes(
    episodes: dict[Pid, LatestEpisode], known: Sequence[KnownEpisode], since: datetime, count: int
) -> EpisodeChanges:
    """The difference to what the asker holds; ``count``: how many of each brand, the latest first."""
    etags = {one.episode_pid: one.etag for one in known}
    settled = {one.episode_pid for one in known if one.first_shown_at < since}
    judged = etags.keys() - settled
    changed = [episodes[pid] for pid in judged & episodes.keys() if episodes[pid].etag != etags[pid]]
    withdrawn = judged - episodes.keys()
    new = [episode for episode in _latest(episodes.values(), count) if episode.episode_pid not in etags]
    return EpisodeChanges(
        tuple(new),
        tuple(_latest_first(changed)),
        tuple(sorted(withdrawn)),
        len(etags) - len(changed) - len(withdrawn),
    )


def _latest(episodes: Iterable[LatestEpisode], count: int) -> list[LatestEpisode]:
    of_brands: dict[Pid, list[LatestEpisode]] = defaultdict(list)
    for episode in _latest_first(episodes):
        of_brands[episode.brand_pid].append(episode)
    return _latest_first(episode for listed in of_brands.values() for episode in listed[:count])


def _latest_first(episodes: Iterable[LatestEpisode]) -> list[LatestEpisode]:
    return sorted(episodes, key=lambda episode: episode.place, reverse=True)


def changes_fields(changes: EpisodeChanges, since: datetime) -> dict[str, Any]:
    """The answer; ``since`` as it was applied."""
    return {
        "since": since,
        "new": [episode.fields for episode in changes.new],
        "changed": [episode.fields for episode in changes.changed],
        "withdrawn": list(changes.withdrawn),
        "unchanged": changes.unchanged,
    }


def _at(airing: Airing, episode_pid: Pid, brand_pid: Pid) -> LatestEpisode:
    names, told = {"episode_pid": episode_pid, "brand_pid": brand_pid}, airing_fields(airing)
    digest = blake2b(render_json(names | told), digest_size=_ETAG_BYTES).hexdigest()
    etag = f"{int(airing.broadcast.start.timestamp()):x}-{digest}"
    return LatestEpisode(brand_pid, episode_pid, airing.place, etag, names | {"etag": etag} | told)
