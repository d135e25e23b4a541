"""Asking without waiting for ever: whoever does not answer holds up nobody else, and is not asked twice at once."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Asking(Generic[T]):
    """One question, asked in a thread of its own. Those who ask while an answer is awaited share it; so a
    counterpart that hangs costs one thread, however often it is asked. That thread holds up no process that ends.
    """

    def __init__(self, question: Callable[[], T], name: str) -> None:
        self._question = question
        self._name = name
        self._lock = Lock()
        self._pending: Future[T] | None = None

    def ask(self) -> Future[T]:
        """The answer to come. Wait for it with a timeout."""
        with self._lock:
            if self._pending is None or self._pending.done():
                self._pending = Future()
                Thread(target=self._answer, args=(self._pending,), name=self._name, daemon=True).start()
            return self._pending

    def _answer(self, answer: Future[T]) -> None:
        try:
            answer.set_result(self._question())
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            answer.set_exception(error)
