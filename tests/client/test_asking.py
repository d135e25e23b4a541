"""What the client library makes of answers that it did not hope for."""

from collections.abc import Sequence
from typing import Any

import pytest
from schedules_client import KeyRejected, RequestRejected, SchedulesError, Unavailable, WrongAddress
from schedules_client.access import Access
from schedules_client.conversation import Conversation
from schedules_client.errors import ConfigurationError
from schedules_client.steps import (
    Answer,
    Ask,
    Close,
    Failure,
    Load,
    Open,
    Read,
    Save,
    State,
    Terms,
    Wait,
    Warn,
)

_SERVICES = Answer(200, {}, b'{"services": []}')
_DIGEST = Answer(200, {}, b'{"services": {}, "cursor": "c"}')
_PAGE = Answer(200, {}, b'{"changes": [], "cursor": "c", "more": false}')
_STREAM = Answer(200, {"content-type": "text/event-stream"})
_REFUSED = Failure("refused")


class _Ended(Exception):
    """The answers are used up."""


class Shell:
    """Gives these answers, one to each request, and lets time pass."""

    def __init__(self, *answers: Answer | Failure, chunks: Sequence[bytes | None] = ()) -> None:
        self._answers = list(answers)
        self._chunks = list(chunks)
        self.waited: list[float] = []
        self.warned: list[str] = []
        self.asked: list[Ask | Open] = []
        self.now = 0.0

    def run(self, *, follows: bool = False, give_up_seconds: float | None = 60.0) -> None:
        terms = Terms("http://here", lambda: self.now, lambda: 0.0, give_up_seconds)
        conversation = Conversation(terms)
        steps, outcome = conversation.follow() if follows else conversation.sync(), None
        while True:
            try:
                outcome = self._perform(steps.send(outcome))
            except (StopIteration, _Ended):
                return

    def _perform(self, step: object) -> Any:
        match step:
            case Load():
                return State()
            case Save():
                return ()
            case Wait():
                self.waited.append(step.seconds)
                self.now += step.seconds
            case Warn():
                self.warned.append(step.text)
            case Read():
                return self._chunks.pop(0) if self._chunks else None
            case Ask() | Open():
                self.asked.append(step)
                if not self._answers:
                    raise _Ended
                return self._answers.pop(0)
            case Close():
                pass
        return None


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(401, {}), KeyRejected, "SCHEDULES_API_KEY"),
        (Answer(404, {}), WrongAddress, "SCHEDULES_DELIVERY_URL"),
        (Answer(301, {"location": "https://elsewhere"}), WrongAddress, "SCHEDULES_DELIVERY_URL"),
        (Answer(400, {}, b'{"detail": "no such parameter"}'), RequestRejected, "no such parameter"),
    ],
)
def test_an_answer_that_will_not_change_ends_it(
    answer: Answer, error: type[SchedulesError], words: str
) -> None:
    """No request is repeated, also while following, and the message says what to do."""
    shell = Shell(answer)

    with pytest.raises(error, match=words):
        shell.run(follows=True)

    assert not shell.waited


@pytest.mark.parametrize("answer", [_REFUSED, Answer(500, {}), Answer(502, {}, b"<html>"), Answer(408, {})])
def test_pauses_double_up_to_a_minute(answer: Answer | Failure) -> None:
    """With jitter of half; here the shortest. They begin anew after a success."""
    shell = Shell(*[answer] * 9, _SERVICES, answer, _DIGEST, _PAGE)

    shell.run(give_up_seconds=None)

    assert shell.waited == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 0.5]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "seconds"), [("40", 40), ("Thu, 01 Jan 1970 00:01:30 GMT", 90), ("soon", 0.5)]
)
def test_retry_after_is_honoured(status: int, value: str, seconds: float) -> None:
    """In both forms of the header; of anything else the own pause counts."""
    shell = Shell(Answer(status, {"retry-after": value}), _SERVICES, _DIGEST, _PAGE)

    shell.run(give_up_seconds=None)

    assert shell.waited == [seconds]


def test_sync_gives_up_in_time() -> None:
    """It does not wait for longer than it was told, and names address and reason."""
    shell = Shell(*[_REFUSED] * 20)

    with pytest.raises(Unavailable, match=r"http://here: refused\. Gave up after \d+ attempts"):
        shell.run(give_up_seconds=10)

    assert shell.now <= 10


def test_a_page_of_a_proxy_is_no_answer() -> None:
    """Once, it is asked again; three times in a row the address must be wrong."""
    page = Answer(200, {}, b"<html>Sign in to our network</html>")
    once, always = Shell(page, _SERVICES, _DIGEST, _PAGE), Shell(page, page, page)

    once.run()

    with pytest.raises(WrongAddress, match="not the delivery service"):
        always.run()
    assert len(once.waited) == 1


def test_the_key_goes_to_no_other_host() -> None:
    """An address in the feed that leads elsewhere is not asked."""
    row = b'{"sid": "a", "date": "2026-03-28", "seq": 1, "etag": "", "published_at": "", "removed": false, "href": "%b"'
    pages = [
        Answer(200, {}, b'{"changes": [%b}], "cursor": "c", "more": false}' % (row % href))
        for href in (b"https://thief.example/v1", b"//thief.example/v1", b"/\\\\thief.example")
    ]
    shell = Shell(_SERVICES, _DIGEST, *pages)

    with pytest.raises(WrongAddress):
        shell.run()

    assert {step.path.partition("?")[0] for step in shell.asked} == {
        "/v1/services",
        "/v1/digest",
        "/v1/changes",
    }


def test_a_cursor_that_is_always_rejected_is_no_endless_loop() -> None:
    """A service that rejects the cursor of its own digest is asked less and less, and sync gives up."""
    gone = Answer(410, {})
    shell = Shell(*[_SERVICES, _DIGEST, gone] * 20)

    with pytest.raises(Unavailable, match="rejects the cursor"):
        shell.run()

    assert shell.waited


def test_a_stream_resumes_where_it_was() -> None:
    """After a cut, ``Last-Event-ID`` is that of the last block, and the pause is the one that the service asks for."""
    shell = Shell(
        _SERVICES, _DIGEST, _PAGE, _STREAM, _STREAM, chunks=[b"retry: 4000\n\n", b"id: d\n\n", None, None]
    )

    shell.run(follows=True)

    opened = [step for step in shell.asked if isinstance(step, Open)]
    assert [step.headers["Last-Event-ID"] for step in opened][:2] == ["c", "d"]
    assert shell.waited[0] == 2


def test_a_network_that_holds_streams_back_is_polled() -> None:
    """Two streams in which nothing arrived are enough."""
    shell = Shell(_SERVICES, _DIGEST, _PAGE, _STREAM, _STREAM, _PAGE)

    shell.run(follows=True)

    assert "wait=30" in shell.asked[-1].path
    assert any("polls from now on" in text for text in shell.warned)


def test_a_stream_that_cannot_be_opened_is_tried_again() -> None:
    """The limit of waiting requests, and a page of a proxy, are temporary."""
    limit, page = Answer(429, {"retry-after": "9"}), Answer(200, {"content-type": "text/html"})
    shell = Shell(_SERVICES, _DIGEST, _PAGE, limit, page, _STREAM)

    shell.run(follows=True, give_up_seconds=None)

    assert shell.waited[:2] == [9, 1]


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("", "sk_1", "SCHEDULES_DELIVERY_URL"),
        ("http://here", "", "SCHEDULES_API_KEY"),
        ("here:80", "sk_1", "http://"),
        ("http://user:word@here", "sk_1", "without a user"),
        ("http://here?x=1", "sk_1", "a query"),
        ("http://here", "sk_1\nX: y", "SCHEDULES_API_KEY"),
        ("http://here", "sk_é", "SCHEDULES_API_KEY"),
    ],
)
def test_unusable_access_is_named(url: str, key: str, words: str) -> None:
    """The message names the variable, and has neither the key nor a password in it."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        Access.find(url, key)

    assert "word@" not in str(caught.value)
    assert not key or key not in str(caught.value)


def test_access_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument counts before the environment, and a slash at the end does no harm."""
    monkeypatch.setenv("SCHEDULES_DELIVERY_URL", "http://here/schedules/")
    monkeypatch.setenv("SCHEDULES_API_KEY", "sk_1")

    assert (Access.find(None, None).address, Access.find(None, "sk_2").key) == (
        "http://here/schedules",
        "sk_2",
    )
    assert "sk_1" not in repr(Access.find(None, None))
