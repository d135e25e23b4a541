"""Failing asset checks on Redis."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.health.ports import CheckState, FailedCheck
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_EXAMPLES = 20
_LONGEST_EXAMPLE = 200


class RedisFailingCheckStore:
    """Implements :class:`FailingCheckStore`: the fields of errors are ``<schedule> <check>``. Warnings are a hash for
    each check, because there may be one for each schedule, and they are counted with each batch of records.
    """

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("failing_checks")
        self._keys = keys

    def record(self, outcomes: Mapping[tuple[ScheduleKey, str], FailedCheck | None]) -> None:
        commands: list[tuple[str, ...]] = []
        removed: dict[str, list[str]] = defaultdict(list)
        for (key, check), failed in outcomes.items():
            places = {True: (self._key, f"{key} {check}"), False: (self._warnings(check), str(key))}
            if failed is not None:
                text = failed.summary if failed.is_error else failed.summary[:_LONGEST_EXAMPLE]
                commands.append(("HSET", *places.pop(failed.is_error), text))
            for name, field in places.values():
                removed[name].append(field)
        self._link.run([*commands, *(("HDEL", name, *fields) for name, fields in removed.items())])

    def states(self, checks: Sequence[str]) -> dict[str, CheckState]:
        errors: dict[str, dict[ScheduleKey, str]] = defaultdict(dict)
        for (key, check), text in self.all().items():
            errors[check][key] = text
        return {check: self._state(check, errors[check]) for check in checks}

    def _state(self, check: str, errors: Mapping[ScheduleKey, str]) -> CheckState:
        warnings = int(self._link.call("HLEN", self._warnings(check)))
        page = next(self._link.hash_pages(self._warnings(check))) if warnings else {}
        found = {ScheduleKey.parse(field.decode()): text.decode() for field, text in page.items()}
        examples = dict(islice([*errors.items(), *found.items()], _EXAMPLES))
        return CheckState(len(errors), warnings, examples)

    def _warnings(self, check: str) -> str:
        return self._keys.journal(f"warned_checks:{check}")

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
