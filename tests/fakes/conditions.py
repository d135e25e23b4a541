"""Shared by every fake: a clock that tests turn, failures on demand, and the points where a worker may die."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

T = TypeVar("T")


P = ParamSpec("P")


class FakeClock:
    """It stands still until a test turns it."""

    def __init__(self, now: datetime = datetime(2026, 3, 28, 12, tzinfo=UTC)) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


class Conditions:
    """The conditions under which the fakes are used; undisturbed by default."""

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        """Called before every effect and every answer; may switch to another worker, or raise."""

    def arrange(self, items: list[T]) -> list[T]:
        """The order in which the commands of one pipeline take effect."""
        return items

    def asks_again(self) -> bool:
        """Whether the client lost the answer and repeats the call, as Redis clients do."""
        return False


class Fake:
    """A fake under some conditions."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions

    def in_any_order(self, items: Iterable[T]) -> list[T]:
        """Sorted first, so that a run does not depend on how this process hashes strings."""
        return self.conditions.arrange(sorted(items, key=str))


F = TypeVar("F", bound=Fake)


def step(method: Callable[Concatenate[F, P], T]) -> Callable[Concatenate[F, P], T]:
    """One atomic effect: other workers may act before it, but not during it."""
    name = method.__name__

    @wraps(method)
    def stepped(self: F, *args: P.args, **kwargs: P.kwargs) -> T:
        self.conditions.checkpoint(name, args)
        return method(self, *args, **kwargs)

    return cast("Callable[Concatenate[F, P], T]", stepped)


def answered(method: Callable[Concatenate[F, P], T]) -> Callable[Concatenate[F, P], T]:
    """The answer may be lost after every effect took place; then the client may repeat the call."""
    name = f"{method.__name__} answers"

    @wraps(method)
    def answering(self: F, *args: P.args, **kwargs: P.kwargs) -> T:
        answer = method(self, *args, **kwargs)
        self.conditions.checkpoint(name)
        if self.conditions.asks_again():
            answer = method(self, *args, **kwargs)
            self.conditions.checkpoint(name)
        return answer

    return cast("Callable[Concatenate[F, P], T]", answering)
