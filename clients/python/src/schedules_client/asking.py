"""Requests that are repeated until they have an answer that the conversation can use."""

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

from schedules_client.errors import KeyRejected, RequestRejected, SchedulesError, Unavailable, WrongAddress
from schedules_client.steps import Answer, Ask, Failure, Steps, Terms, Wait, Warn

T = TypeVar("T")

_OK, _NOT_FOUND = 200, 404
_NO_KEY = (401, 403)
_AGAIN = (408, 429)
_REDIRECTED = range(300, 400)
_DEFECTS = range(500, 600)
_LONGEST_PAUSE_SECONDS = 60.0
_MOST_UNUSABLE = 3
_MOST_DOUBLINGS = 10


class Reply(NamedTuple):
    """``content``: the parsed body of a 200; None otherwise."""

    status: int
    headers: Any
    content: Any


class Trouble(NamedTuple):
    """Why a request has to be repeated, and the earliest time for it."""

    text: str
    error: type[SchedulesError] = Unavailable
    after_seconds: float = 0.0
    hint: str = ""


class Asker:
    """Counts failures across requests, so that pauses grow until something succeeds."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._failures = 0
        self._unusable = 0
        self._failing_since = 0.0

    def ask(self, ask: Ask, parse: Callable[[Any], T], others: Collection[int] = ()) -> Steps[Reply]:
        """The reply with the parsed content of a 200, or with a status of ``others`` or 304 and no content.

        ``parse`` raises ValueError, TypeError or KeyError if the content is not what it should be.
        """
        while True:
            outcome: Answer | Failure = yield ask
            if isinstance(outcome, Answer) and outcome.status in others:
                self.succeeded()
                return Reply(outcome.status, outcome.headers, None)
            if isinstance(outcome, Answer) and outcome.status == _OK:
                try:
                    content = parse(json.loads(outcome.body))
                except (ValueError, TypeError, KeyError, AttributeError):
                    yield from self.pause(self.misunderstood(ask.path))
                    continue
                self.succeeded()
                return Reply(_OK, outcome.headers, content)
            yield from self.pause(self.trouble(outcome, ask.path))

    def succeeded(self) -> None:
        self._failures = self._unusable = 0

    def trouble(self, outcome: Answer | Failure, path: str) -> Trouble:
        """Raises the error of an answer that will not change by itself."""
        if isinstance(outcome, Failure):
            hint = "; is SCHEDULES_DELIVERY_URL the right address?"
            return Trouble(f"cannot reach {self._terms.address}: {outcome.reason}", hint=hint)
        status, detail = outcome.status, _detail(outcome)
        if status in _NO_KEY:
            raise KeyRejected(
                f"the service at {self._terms.address} does not accept the API key ({status}). "
                "Check SCHEDULES_API_KEY, or ask the operators for a new key."
            )
        if status in (_OK, _NOT_FOUND) or status in _REDIRECTED:
            raise WrongAddress(self._wrong(f"{path.partition('?')[0]} is answered with {status}"))
        if status in _AGAIN or status in _DEFECTS:
            after = _retry_after(outcome.headers.get("retry-after", ""), self._terms.clock())
            return Trouble(f"{self._terms.address} answers {status}{detail}", after_seconds=after)
        raise RequestRejected(f"{self._terms.address} rejects {path.partition('?')[0]} with {status}{detail}")

    def misunderstood(self, path: str) -> Trouble:
        """Another thing than the service's answer, such as the page of a proxy. Raises WrongAddress at the third."""
        self._unusable += 1
        text = f"the answer to {path.partition('?')[0]} is not what the delivery service sends"
        if self._unusable >= _MOST_UNUSABLE:
            raise WrongAddress(self._wrong(text))
        return Trouble(text, WrongAddress)

    def pause(self, trouble: Trouble) -> Steps[None]:
        """Raises the trouble's error if the next attempt would come too late."""
        now = self._terms.clock()
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        doubled = 2.0 ** min(self._failures - 1, _MOST_DOUBLINGS)
        own = min(_LONGEST_PAUSE_SECONDS, doubled) * (0.5 + self._terms.random() / 2)
        seconds = max(own, trouble.after_seconds * (1 + self._terms.random() / 10))
        limit = self._terms.give_up_seconds
        if limit is not None and now + seconds - self._failing_since > limit:
            raise trouble.error(f"{trouble.text}. Gave up after {self._failures} attempts{trouble.hint}")
        yield Warn(f"{trouble.text}; the next attempt is in {seconds:.1f} s")
        yield Wait(seconds)

    def _wrong(self, text: str) -> str:
        return (
            f"{self._terms.address} is not the delivery service: {text}. SCHEDULES_DELIVERY_URL is the address without "
            "a path of the interface, such as https://schedules.example"
        )


def _detail(answer: Answer) -> str:
    """Of a problem document."""
    try:
        return f": {json.loads(answer.body)['detail']}"
    except (ValueError, TypeError, KeyError):
        return ""


def _retry_after(text: str, now: float) -> float:
    """Seconds, of either form of the header; 0 if it has neither."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.fromtimestamp(now, UTC)).total_seconds())
