"""Takes one ordering or one guard out of the real code, by replacing a method or what a method calls.

Belongs here: the replacements. Does not belong here: which of them make a mutant (``mutants``).

Many workers run at once, each in its own greenlet. So a replacement that holds only while some method runs keeps its
state in a context variable, of which every greenlet has its own.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

Mutation = Callable[[pytest.MonkeyPatch], None]
Method = tuple[type, str]


@dataclass(frozen=True, slots=True)
class Mutant:
    """``noticed_in``: the scenario in which one stopped worker, or two, suffice to show the harm."""

    name: str
    noticed_in: str
    mutate: Mutation


def replaced(owner: object, name: str, replacement: Callable[..., Any]) -> Mutation:
    """The method, or the function of a module, is another."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, replacement)


def preceded(owner: type, name: str, first: Callable[..., Any]) -> Mutation:
    """``first`` gets the arguments of the method, and runs before it."""

    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)

        def method(*args: Any, **kwargs: Any) -> Any:
            first(*args, **kwargs)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, method)

    return mutate


def within(scope: Method, called: Method, replacement: Callable[..., Any]) -> Mutation:
    """While the method ``scope`` runs, ``called`` is replaced; the replacement gets the original first."""

    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        is_running: ContextVar[bool] = ContextVar("is_running", default=False)
        original = getattr(*called)

        def method(*args: Any, **kwargs: Any) -> Any:
            if is_running.get():
                return replacement(original, *args, **kwargs)
            return original(*args, **kwargs)

        monkeypatch.setattr(*called, method)
        _set_while_running(monkeypatch, scope, is_running, lambda: True)

    return mutate


def delayed(scope: Method, early: Method, late: Method) -> Mutation:
    """While the method ``scope`` runs, calls of ``early`` take effect only after the next call of ``late``."""

    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        waiting: ContextVar[list[Callable[[], Any]] | None] = ContextVar("waiting", default=None)
        original, trigger = getattr(*early), getattr(*late)

        def wait(*args: Any, **kwargs: Any) -> Any:
            calls = waiting.get()
            if calls is None:
                return original(*args, **kwargs)
            calls.append(partial(original, *args, **kwargs))
            return None

        def release(*args: Any, **kwargs: Any) -> Any:
            result = trigger(*args, **kwargs)
            calls = waiting.get()
            while calls:
                calls.pop(0)()
            return result

        monkeypatch.setattr(*early, wait)
        monkeypatch.setattr(*late, release)
        _set_while_running(monkeypatch, scope, waiting, list)

    return mutate


def moved_forward(scope: Method, first: Method, answer: Method) -> Mutation:
    """While the method ``scope`` runs, ``answer`` is called before ``first`` and its result is used later."""

    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        answers: ContextVar[list[Any] | None] = ContextVar("answers", default=None)
        original, asked = getattr(*first), getattr(*answer)

        def ask_first(self: Any, pids: Any) -> Any:
            kept = answers.get()
            if kept is not None:
                kept.append(asked(self.index, pids))
            return original(self, pids)

        def answer_later(self: Any, pids: Any) -> Any:
            kept = answers.get()
            return {pid for pid in pids if pid in kept[0]} if kept else asked(self, pids)

        monkeypatch.setattr(*first, ask_first)
        monkeypatch.setattr(*answer, answer_later)
        _set_while_running(monkeypatch, scope, answers, list)

    return mutate


def with_policy(owner: type, **changes: Any) -> Mutation:
    """The workflow is built with another policy, which is the last argument of its constructor."""

    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        original = owner.__init__  # type: ignore[misc]

        def init(self: Any, *args: Any) -> None:
            *others, policy = args
            original(self, *others, replace(policy, **changes))

        monkeypatch.setattr(owner, "__init__", init)

    return mutate


def all_of(*mutations: Mutation) -> Mutation:
    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        for mutation in mutations:
            mutation(monkeypatch)

    return mutate


def _set_while_running(
    monkeypatch: pytest.MonkeyPatch, scope: Method, variable: ContextVar[Any], make: Callable[[], Any]
) -> None:
    original = getattr(*scope)

    def method(*args: Any, **kwargs: Any) -> Any:
        token = variable.set(make())
        try:
            return original(*args, **kwargs)
        finally:
            variable.reset(token)

    monkeypatch.setattr(*scope, method)
