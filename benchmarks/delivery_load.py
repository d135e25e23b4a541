"""Requests a second to the delivery service, beside the same framework's bare "hello" and nginx with the same bytes.

Belongs here: the questions, who is asked in turn with whom, and the figures. How a question is asked over and over is
in ``load``.
"""

import gzip
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.bare_hello import TEXT
from benchmarks.delivery_world import ServedState
from benchmarks.harness import Figure, WrongResult, ratios, take_turns
from benchmarks.load import Answers, Question, Wrk
from benchmarks.web_servers import BareHello, Nginx, get, nginx_executable, started

_HELLO, _HIT, _GZIP, _PLAIN, _FEED = "hello", "conditional hit", "document, gzip", "document, plain", "feed"
_NGINX = "nginx, "
_GOALS = {_HIT: 1 / 0.6, _GZIP: 1 / 0.5, _PLAIN: 1 / 0.5}
"""How many bare hellos there may be for one of these: hits come at 60 % of their rate, documents at half."""

_Told = Mapping[tuple[str, int], Sequence[Answers]]
"""By the name of a question and the number of connections."""

_TAKES_GZIP = {"Accept-Encoding": "gzip"}


def conditional_hit(served: ServedState) -> Question:
    """For somebody who has the document already."""
    plain = _plain(served)
    tag = served.get(plain.path).headers["etag"]
    return Question(served.port, plain.path, {"If-None-Match": tag}, 304)


def measure_load(
    served: ServedState,
    wrk: Wrk,
    directory: Path,
    core: int,
    *,
    rows: int,
    connections: Sequence[int],
    rounds: int,
    seconds: int,
) -> list[Figure]:
    """``core``: of every server, one of which is asked at a time. ``rows``: of the feed's page."""
    plain, feed = _plain(served), _feed(served, rows)
    with ExitStack() as stack:
        hello = stack.enter_context(started(BareHello(directory / "hello"), core))
        questions = {
            _HELLO: Question(hello.port, "/hello", body=TEXT),
            _HIT: conditional_hit(served),
            _GZIP: _packed(served, plain),
            _PLAIN: plain,
            _FEED: feed,
        }
        if executable := nginx_executable():
            nginx = Nginx(directory / "nginx", executable, {"document": plain.body, "feed": feed.body})
            questions |= _of_files(stack.enter_context(started(nginx, core)))
        sides = {
            (name, number): partial(wrk.ask, question, number, seconds)
            for name, question in questions.items()
            for number in connections
        }
        return _figures(take_turns(sides, rounds, warm_up=0))


def _plain(served: ServedState) -> Question:
    key = served.todays()[0]
    return Question(served.port, f"/v1/schedules/{key}", body=served.keyspace.document(key))


def _packed(served: ServedState, plain: Question) -> Question:
    """Raises :class:`WrongResult` where what is unpacked is not the document."""
    body = served.get(plain.path, **_TAKES_GZIP).body
    if gzip.decompress(body) != plain.body:
        raise WrongResult(f"{plain.path} is another document when it is packed")
    return replace(plain, headers=_TAKES_GZIP, body=body)


def _feed(served: ServedState, rows: int) -> Question:
    path = f"/v1/changes?limit={rows}&since={served.keyspace.cursor_before(rows)}"
    body = served.get(path).body
    if body.count(b'"seq":') != rows:
        raise WrongResult(f"{path} has not {rows} rows")
    return Question(served.port, path, body=body)


def _of_files(nginx: Nginx) -> dict[str, Question]:
    document = get(nginx.port, "/document", {})
    plain = Question(nginx.port, "/document", body=document.body)
    packed = get(nginx.port, "/document", _TAKES_GZIP).body
    return {
        _NGINX + _HIT: replace(
            plain, headers={"If-None-Match": document.headers["etag"]}, status=304, body=b""
        ),
        _NGINX + _GZIP: replace(plain, headers=_TAKES_GZIP, body=packed),
        _NGINX + _PLAIN: plain,
        _NGINX + _FEED: Question(nginx.port, "/feed", body=get(nginx.port, "/feed", {}).body),
    }


def _figures(told: _Told) -> list[Figure]:
    figures = [figure for side, answers in told.items() for figure in _of_side(_named(*side), answers)]
    for name in (_HIT, _GZIP, _PLAIN, _FEED):
        for other in (_HELLO, _NGINX + name):
            figures += [_share(name, other, number, told) for which, number in told if which == other]
    return figures


def _of_side(name: str, answers: Sequence[Answers]) -> list[Figure]:
    return [
        Figure(name, "1/s", [one.rate for one in answers]),
        Figure(f"{name}, p50", "ms", [one.p50 for one in answers]),
        Figure(f"{name}, p99", "ms", [one.p99 for one in answers]),
    ]


def _share(name: str, other: str, connections: int, told: _Told) -> Figure:
    """How many of the other there are for one of these."""
    ours, theirs = ([one.rate for one in told[which, connections]] for which in (name, other))
    goal = _GOALS.get(name) if other == _HELLO else None
    return Figure(f"{_named(f'{other} / {name}', connections)}", "×", ratios(theirs, ours), goal)


def _named(what: str, connections: int) -> str:
    return f"{what}, {connections} connection{'' if connections == 1 else 's'}"
