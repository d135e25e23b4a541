"""Failing checks on Redis: what a batch of records reads, and what release 0.2 has stored."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from redis import Redis

from demo.servers import RedisServer
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.ports import CheckState, FailedCheck
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.store.exchange import Command
from schedules_pipeline.store.failing_checks import RedisFailingCheckStore
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, connect

_KEYS = [ScheduleKey(Sid("alder_one"), date(2026, 1, 1) + timedelta(days)) for days in range(2_000)]
_CHECK = CheckName.MATCHES_LEGACY.value
_FAILED = FailedCheck("9 differences", is_error=True)


class _CountingLink(RedisLink):
    """Counts round trips, commands, and the elements of the replies."""

    def __init__(self, url: str) -> None:
        super().__init__(connect(url))
        self.counted = (0, 0, 0)

    def run(self, commands: Iterable[Command]) -> list[Any]:
        replies = super().run(commands)
        read = sum(len(reply[1]) for reply in replies if isinstance(reply, list))
        trips, count, before = self.counted
        self.counted = (trips + 1, count + len(replies), before + read)
        return replies


def test_the_state_of_the_checks_is_one_bounded_read(redis_server: RedisServer, redis_client: Redis) -> None:
    """It counts 2,000 failing schedules of every check with the commands that a single one takes, in one round trip."""
    link = _CountingLink(redis_server.url)
    store = RedisFailingCheckStore(link, Keys("bounded"))
    checks = [name.value for name in CheckName]

    costs = []
    for keys in (_KEYS[:1], _KEYS):
        store.record({(key, check): _FAILED for key in keys for check in checks})
        link.counted = (0, 0, 0)
        assert {state.errors for state in store.states(checks).values()} == {len(keys)}
        costs.append(link.counted)

    (trips, commands, _), (trips_of_all, commands_of_all, read) = costs
    assert trips == trips_of_all == 1
    assert commands == commands_of_all == 1 + 4 * len(checks)
    assert read < 100 * len(checks)


def test_errors_of_release_0_2_count_until_their_check_is_evaluated(
    redis_server: RedisServer, redis_client: Redis
) -> None:
    """Also beside a process of that release; the next evaluation removes them, whatever its result."""
    keys = Keys("earlier")
    store = RedisFailingCheckStore(RedisLink(connect(redis_server.url)), keys)
    passing, failing, unchanged = _KEYS[:3]
    for key in (passing, failing, unchanged):
        redis_client.hset(keys.journal("failing_checks"), f"{key} {_CHECK}", "of 0.2")
    store.record({(_KEYS[3], _CHECK): _FAILED})
    before = store.states([_CHECK, CheckName.IS_BUILT.value])

    store.record({(passing, _CHECK): None, (failing, _CHECK): _FAILED})

    assert before[_CHECK].errors == 4
    assert before[CheckName.IS_BUILT.value] == CheckState()
    assert store.states([_CHECK])[_CHECK].errors == 3
    assert store.find(_CHECK, _KEYS[:5]) == {failing, unchanged, _KEYS[3]}
    assert store.all() == {
        (unchanged, _CHECK): "of 0.2",
        (failing, _CHECK): "9 differences",
        (_KEYS[3], _CHECK): "9 differences",
    }
