"""What things are called: pids, service ids and schedule keys, as values that refuse anything else."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any, NamedTuple, Self

from schedules_pipeline.errors import InvalidIdentifier

_PID = re.compile(r"[0-9b-df-hj-np-tv-z]{8,32}")
_SID = re.compile(r"[0-9a-z_]{1,64}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _as_text(read: Callable[[str], object], write: Callable[[Any], str] = str) -> dict[str, Any]:
    """How pydantic reads and writes a value whose documents hold a text, as the answer of its hook."""
    return {
        "type": "function-after",
        "schema": {"type": "str"},
        "function": {"type": "no-info", "function": read},
        "serialization": {"type": "function-plain", "function": write, "return_schema": {"type": "str"}},
    }


class Pid(str):
    """A programme id: lower-case letters without vowels, and digits, 8 to 32 of them."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raise :class:`InvalidIdentifier` for anything that is not a pid."""
        if not _PID.fullmatch(text):
            raise InvalidIdentifier(f"not a pid: {text[:60]!r} (digits and consonants, 8 to 32 of them)")
        return super().__new__(cls, text)

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> dict[str, Any]:
        return _as_text(cls)


class _EmptyIfAbsent:
    def __get_pydantic_core_schema__(self, *_: object) -> dict[str, Any]:
        return _as_text(lambda text: Pid(text) if text else None, lambda pid: pid or "")


OptionalPid = Annotated[Pid | None, _EmptyIfAbsent()]
"""A pid, or None; documents write "" for None."""


def is_pid(text: str) -> bool:
    """Whether the text has the form of a pid."""
    return _PID.fullmatch(text) is not None


class Sid(str):
    """A service id, ``alder_one_north``: lower-case letters, digits and underscores, at most 64."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raise :class:`InvalidIdentifier` for anything that is not a sid."""
        if not _SID.fullmatch(text):
            raise InvalidIdentifier(f"not a service id: {text[:80]!r} (pattern [0-9a-z_]+)")
        return super().__new__(cls, text)

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> dict[str, Any]:
        return _as_text(cls)


def is_sid(text: str) -> bool:
    """Whether the text has the form of a sid."""
    return _SID.fullmatch(text) is not None


class ScheduleKey(NamedTuple):
    """One service on one broadcast day: the unit that is stored, delivered and partitioned."""

    sid: Sid
    date: date

    def __str__(self) -> str:
        return f"{self.sid}/{self.date.isoformat()}"

    @property
    def with_neighbours(self) -> "tuple[ScheduleKey, ScheduleKey, ScheduleKey]":
        """The service's schedules of the day before, of the day itself, and of the day after."""
        return self.after(-1), self, self.after(1)

    def after(self, days: int) -> "ScheduleKey":
        """The service's schedule so many days later."""
        return ScheduleKey(self.sid, self.date + timedelta(days=days))

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> dict[str, Any]:
        return _as_text(cls.parse)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``sid/YYYY-MM-DD``; raise :class:`InvalidIdentifier` for anything else."""
        sid, slash, day = text.partition("/")
        if not slash:
            raise InvalidIdentifier(f"not a schedule key: {text[:100]!r} (expected sid/YYYY-MM-DD)")
        return cls(Sid(sid), parse_date(day))


def parse_date(text: str) -> date:
    """Read ``YYYY-MM-DD`` and no other ISO form; raise :class:`InvalidIdentifier` otherwise.

    The first and the last year are refused: a broadcast day there may begin or end where no instant is.
    """
    if _DATE.fullmatch(text):
        try:
            day = date.fromisoformat(text)
        except ValueError:
            pass
        else:
            if date.min.year < day.year < date.max.year:
                return day
    raise InvalidIdentifier(f"not a date: {text[:40]!r} (expected YYYY-MM-DD)")
