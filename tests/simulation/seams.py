"""Removes one ordering or one guard from the real code, by replacing a method or a collaborator's method.

Belongs here: the kinds of replacement. Does not belong here: the mutants (``mutants``).

Many workers run at once, each in its own greenlet. So a replacement that lasts only while a method runs keeps its
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
    """Replace a method, or a function of a module."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, replacement)


def preceded(owner: type, name: str, first: Callable[..., Any]) -> Mutation:
    """Call ``first`` with the same arguments before the method."""

    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)

        def method(*args: Any, **kwargs: Any) -> Any:
            first(*args, **kwargs)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, method)

    return mutate


def within(scope: Method, called: Method, replacement: Callable[..., Any]) -> Mutation:
    """While the method ``scope`` runs, replace ``called``; the replacement gets the original as its first argument."""

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
    """Build the workflow with another policy, the last argument of its constructor."""

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
