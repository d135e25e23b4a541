"""Failing asset checks on Redis."""

from collections.abc import Mapping, Sequence

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink


class RedisFailingCheckStore:
    """Implements :class:`FailingCheckStore`: fields are ``<schedule> <check>``."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("failing_checks")

    def record(self, outcomes: Mapping[tuple[ScheduleKey, str], str | None]) -> None:
        failing = {f"{key} {check}": text for (key, check), text in outcomes.items() if text is not None}
        passing = [f"{key} {check}" for (key, check), text in outcomes.items() if text is None]
        commands: list[tuple[str, ...]] = [("HSET", self._key, *field) for field in failing.items()]
        if passing:
            commands.append(("HDEL", self._key, *passing))
        self._link.run(commands)

    def find(self, check: str, keys: Sequence[ScheduleKey]) -> set[ScheduleKey]:
        found = self._link.call("HMGET", self._key, *(f"{key} {check}" for key in keys)) if keys else []
        return {key for key, text in zip(keys, found, strict=True) if text is not None}

    def all(self) -> dict[tuple[ScheduleKey, str], str]:
        return {
            _failing_check(field.decode()): text.decode()
            for page in self._link.hash_pages(self._key)
            for field, text in page.items()
        }


def _failing_check(field: str) -> tuple[ScheduleKey, str]:
    key, _, check = field.rpartition(" ")
    return ScheduleKey.parse(key), check
