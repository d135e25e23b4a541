"""Failing asset checks on Redis."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.health.ports import CheckState, FailedCheck
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_EXAMPLES = 20
_LONGEST_EXAMPLE = 200


class RedisFailingCheckStore:
    """Implements :class:`FailingCheckStore`: each check has a hash of errors and one of warnings, so that Redis counts
    them. Release 0.2 had one hash of the errors of all checks, whose fields are moved as their checks are evaluated.
    """

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._of_0_2 = keys.journal("failing_checks")
        self._keys = keys

    def record(self, outcomes: Mapping[tuple[ScheduleKey, str], FailedCheck | None]) -> None:
        commands: list[tuple[str, ...]] = []
        removed: dict[str, list[str]] = defaultdict(list)
        for (key, check), failed in outcomes.items():
            places = {True: self._errors(check), False: self._warnings(check)}
            if failed is not None:
                text = failed.summary if failed.is_error else failed.summary[:_LONGEST_EXAMPLE]
                commands.append(("HSET", places.pop(failed.is_error), str(key), text))
            for name in places.values():
                removed[name].append(str(key))
            removed[self._of_0_2].append(f"{key} {check}")
        self._link.run([*commands, *(("HDEL", name, *fields) for name, fields in removed.items())])

    def states(self, checks: Sequence[str]) -> dict[str, CheckState]:
        """Reads counts and the examples alone, whatever the number of failing schedules."""
        places = {check: (self._errors(check), self._warnings(check)) for check in checks}
        reads = [
            command
            for both in places.values()
            for place in both
            for command in (("HLEN", place), ("HSCAN", place, 0, "COUNT", _EXAMPLES))
        ]
        count, *replies = self._link.run([("HLEN", self._of_0_2), *reads])
        old = self._errors_of_0_2() if count else {}
        found = iter(replies)
        return {
            check: _state({key: text for (key, name), text in old.items() if name == check}, islice(found, 4))
            for check in checks
        }

    def find(self, check: str, keys: Sequence[ScheduleKey]) -> set[ScheduleKey]:
        if not keys:
            return set()
        places = self._link.run(
            [
                ("HMGET", self._errors(check), *map(str, keys)),
                ("HMGET", self._of_0_2, *(f"{key} {check}" for key in keys)),
            ]
        )
        return {key for key, *texts in zip(keys, *places, strict=True) if texts != [None, None]}

    def all(self) -> dict[tuple[ScheduleKey, str], str]:
        return self._errors_of_0_2() | {
            (ScheduleKey.parse(field.decode()), check.value): text.decode()
            for check in CheckName
            for page in self._link.hash_pages(self._errors(check))
            for field, text in page.items()
        }

    def _errors_of_0_2(self) -> dict[tuple[ScheduleKey, str], str]:
        return {
            _failing_check(field.decode()): text.decode()
            for page in self._link.hash_pages(self._of_0_2)
            for field, text in page.items()
        }

    def _errors(self, check: str) -> str:
        return self._keys.journal(f"failing_checks:{check}")

    def _warnings(self, check: str) -> str:
        return self._keys.journal(f"warned_checks:{check}")


def _state(old: Mapping[ScheduleKey, str], found: Iterable[Any]) -> CheckState:
    errors, error_page, warnings, warning_page = found
    examples = {**old, **_examples(error_page), **_examples(warning_page)}
    return CheckState(errors + len(old), warnings, dict(islice(examples.items(), _EXAMPLES)))


def _examples(page: tuple[bytes | int, Mapping[bytes, bytes]]) -> dict[ScheduleKey, str]:
    return {ScheduleKey.parse(field.decode()): text.decode() for field, text in page[1].items()}


def _failing_check(field: str) -> tuple[ScheduleKey, str]:
    key, _, check = field.rpartition(" ")
    return ScheduleKey.parse(key), check
