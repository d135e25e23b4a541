"""Requests a second to the delivery service, compared with the framework's bare "hello" and with nginx.

This module chooses the requests, their order and the figures. ``load`` sends one request over and over.
"""

import gzip
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.bare_hello import TEXT
from benchmarks.delivery_world import ServedState
from benchmarks.harness import Figure, WrongResult, ratios, take_turns
from benchmarks.load import Answers, Question, Wrk
from benchmarks.web_servers import BareHello, Nginx, get, nginx_executable, started

_HELLO, _HIT, _GZIP, _PLAIN, _FEED = "hello", "conditional hit", "document, gzip", "document, plain", "feed"
_NGINX = "nginx, "
_GOALS = {_HIT: 1 / 2, _GZIP: 1.0, _PLAIN: 1 / 0.5}
"""The highest ratio of the bare hello's rate to this one: hits reach twice its rate, documents its rate in gzip and
half of it plain.
"""

_Measured = Mapping[tuple[str, int], Sequence[Answers]]
"""By the name of a request and the number of connections."""

_TAKES_GZIP = {"Accept-Encoding": "gzip"}


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How much to measure. ``rows``: the length of the feed's page; ``seconds``: of each run."""

    rows: int
    connections: Sequence[int]
    rounds: int
    seconds: int


def conditional_hit(served: ServedState) -> Question:
    """A request of a client that has the document already."""
    plain = _plain(served)
    tag = served.get(plain.path).headers["etag"]
    return Question(served.port, plain.path, {"If-None-Match": tag}, 304)


def measure_load(
    served: ServedState,
    wrk: Wrk,
    directory: Path,
    core: int,
    plan: LoadPlan,
) -> list[Figure]:
    """Measure one server at a time. ``core``: the core that all servers run on."""
    plain, feed = _plain(served), _feed(served, plan.rows)
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
            (name, number): partial(wrk.ask, question, number, plan.seconds)
            for name, question in questions.items()
            for number in plan.connections
        }
        return _figures(take_turns(sides, plan.rounds, warm_up=0))


def _plain(served: ServedState) -> Question:
    key = served.todays()[0]
    return Question(served.port, f"/v1/schedules/{key}", body=served.keyspace.document(key))


def _packed(served: ServedState, plain: Question) -> Question:
    """Raises WrongResult if the unpacked answer is not the document."""
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


def _figures(measured: _Measured) -> list[Figure]:
    figures = [figure for side, answers in measured.items() for figure in _of_side(_named(*side), answers)]
    for name in (_HIT, _GZIP, _PLAIN, _FEED):
        for other in (_HELLO, _NGINX + name):
            figures += [_share(name, other, number, measured) for which, number in measured if which == other]
    return figures


def _of_side(name: str, answers: Sequence[Answers]) -> list[Figure]:
    return [
        Figure(name, "1/s", [one.rate for one in answers]),
        Figure(f"{name}, p50", "ms", [one.p50 for one in answers]),
        Figure(f"{name}, p99", "ms", [one.p99 for one in answers]),
    ]


def _share(name: str, other: str, connections: int, measured: _Measured) -> Figure:
    """The ratio of the other's rate to this one's."""
    rates, other_rates = ([one.rate for one in measured[which, connections]] for which in (name, other))
    goal = _GOALS.get(name) if other == _HELLO else None
    return Figure(f"{_named(f'{other} / {name}', connections)}", "×", ratios(other_rates, rates), goal)


def _named(what: str, connections: int) -> str:
    return f"{what}, {connections} connection{'' if connections == 1 else 's'}"
