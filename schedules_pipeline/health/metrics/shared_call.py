"""Calls that may hang, made on a thread, with their result shared by concurrent callers."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedCall(Generic[T]):
    """One function. While a call is pending, further callers get the same result.

    A function that hangs therefore costs one thread, and that thread does not keep the process alive.
    """

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._function = function
        self._name = name
        self._lock = Lock()
        self._pending: Future[T] | None = None

    def start(self) -> Future[T]:
        """The future result. Wait for it with a timeout."""
        with self._lock:
            if self._pending is None or self._pending.done():
                self._pending = Future()
                Thread(target=self._run, args=(self._pending,), name=self._name, daemon=True).start()
            return self._pending

    def _run(self, result: Future[T]) -> None:
        try:
            result.set_result(self._function())
        except Exception as error:  # noqa: BLE001 - raised to the callers
            result.set_exception(error)
