"""The summary of all comparisons, which views and alarms read in place of the comparisons."""

from collections.abc import Callable
from itertools import count
from typing import Any

import orjson
import pytest
from redis import Redis

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.store.comparisons import RedisComparisonStore
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_KEYS = [ScheduleKey.parse(f"{sid}/2026-03-28") for sid in ("alder", "birch", "cedar")]
_ALDER, _BIRCH, _CEDAR = _KEYS
_MATCHES = Comparison(1, Verdict.MATCHES, "")
_DIFFERS = Comparison(1, Verdict.DIFFERS, "", "", 7)
_FRESH = map("summary-{}".format, count())


@pytest.fixture
def name() -> str:
    return next(_FRESH)


@pytest.fixture
def store(redis_client: Redis, name: str) -> RedisComparisonStore:
    return RedisComparisonStore(RedisLink(redis_client), Keys(name))


def test_views_read_the_summary_of_the_latest_refresh(
    store: RedisComparisonStore, redis_client: Redis, name: str
) -> None:
    """They need not read the comparisons: their number does not make a scrape or an alarm slower."""
    store.keep({_ALDER: _MATCHES, _BIRCH: _DIFFERS})
    store.record_compared_refresh("10:00")
    redis_client.delete(Keys(name).journal("comparisons"))

    tally, summary = store.tally(), store.differing(5)

    assert tally == {(Sid("alder"), Verdict.MATCHES): 1, (Sid("birch"), Verdict.DIFFERS): 1}
    assert (summary.compared, summary.differing, summary.examples) == (2, 1, {_BIRCH: 7})


@pytest.mark.parametrize(
    "invalidate",
    [
        pytest.param(
            lambda redis, keys: redis.set(keys.journal("compared_refresh"), "11:00"),
            id="an older release has compared a later refresh",
        ),
        pytest.param(
            lambda redis, keys: redis.delete(keys.journal("comparison_summary")), id="there is no summary"
        ),
    ],
)
def test_without_a_current_summary_all_comparisons_are_counted(
    store: RedisComparisonStore, redis_client: Redis, name: str, invalidate: Callable[[Any, Keys], object]
) -> None:
    """A summary of another refresh is not used."""
    store.keep({_ALDER: _MATCHES, _BIRCH: _DIFFERS})
    store.record_compared_refresh("10:00")
    store.keep({_ALDER: _DIFFERS})

    invalidate(redis_client, Keys(name))

    assert store.differing(1).differing == 2
    assert store.differing(1).examples == {_ALDER: 7}


def test_a_forgotten_comparison_is_not_counted(store: RedisComparisonStore) -> None:
    """Also before the next refresh."""
    store.keep({_ALDER: _DIFFERS, _CEDAR: _DIFFERS})
    store.record_compared_refresh("10:00")

    store.forget([_CEDAR])

    assert store.differing(5).examples == {_ALDER: 7}


def test_the_summary_names_few_of_many_differences(
    store: RedisComparisonStore, redis_client: Redis, name: str
) -> None:
    """Its size is bounded by the services, even if everything differs."""
    keys = [ScheduleKey.parse(f"alder/2026-01-{day:02}") for day in range(1, 31)]
    store.keep(dict.fromkeys(keys, _DIFFERS))

    store.record_compared_refresh("10:00")

    stored = orjson.loads(redis_client.get(Keys(name).journal("comparison_summary")))  # type: ignore[arg-type]
    assert stored["tally"] == [["alder", "differs", 30]]
    assert len(stored["examples"]) == 20
