"""``python -m benchmarks.neighbour KIND PORT KEY SECONDS CURSOR PID SID``: a partner that sends one kind of expensive
request over several connections, each as soon as it has the answer to the one before.

No two requests are equal, so that no answer is remembered. Prints how many were answered and how many rejected.
"""

import http.client
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Lock, Thread
from typing import NamedTuple

from demo.servers import LOOPBACK

CONNECTIONS = 8
_ANSWERED_WITHIN_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
_TOO_MANY, _UNAVAILABLE = 429, 503


class Target(NamedTuple):
    """``cursor``: of the change feed, with many rows after it. ``pid``: of a brand that many schedules show."""

    cursor: str
    pid: str
    sid: str


class Request(NamedTuple):
    path: str
    body: bytes | None = None


def _time_of_day(number: int) -> str:
    return f"{number // 60 % 24:02}:{number % 60:02}"


def _day(number: int) -> str:
    """Today, one of the next seven days or of the last twenty."""
    return f"{(datetime.now(UTC) + timedelta(days=(number + 20) % 28 - 20)):%Y-%m-%d}"


def _instant(number: int) -> str:
    at = datetime.now(UTC) + timedelta(minutes=7 * (number % 2_000))
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _latest(number: int, target: Target) -> Request:
    since = f"{datetime.now(UTC) - timedelta(days=25, seconds=number):%Y-%m-%dT%H:%M:%SZ}"
    body = {"brands": [target.pid], "since": since, "count": 50, "given": []}
    return Request("/v1/episodes/latest", json.dumps(body).encode())


def _cut(suffix: str) -> Callable[[int, Target], Request]:
    return lambda n, _: Request(f"/v1/schedules{suffix}?date={_day(n // 1_440)}&day={_time_of_day(n)}")


KINDS: Mapping[str, Callable[[int, Target], Request]] = {
    "day cut, JSON": _cut(""),
    "day cut, XMLTV": _cut(".xmltv"),
    "day cut, TV-Anytime": _cut(".tva"),
    "catalogue schedule": lambda n, target: Request(
        f"/v1/schedules/{target.sid}.catalogue?from={_day(8 + n % 20)}&to={_day(n // 20 % 7)}"
    ),
    "guide page": lambda n, _: Request(f"/guide?date={_day(n)}&from={n // 28 % 24:02}:00"),
    "search in the guide": lambda n, _: Request(f"/guide?date={_day(n)}&q=the+{n}"),
    "digest": lambda n, _: Request(f"/v1/digest?from={_day(8)}&to={2100 + n % 900}-01-01"),
    "feed pages": lambda n, target: Request(f"/v1/changes?limit={1_000 - n % 100}&since={target.cursor}"),
    "now and next": lambda n, _: Request(f"/v1/now-next?count=10&at={_instant(n)}"),
    "where shown": lambda n, target: Request(
        f"/v1/programmes/{target.pid}/broadcasts?limit=500&from={_instant(-n % 1_000)}"
    ),
    "latest episodes": _latest,
    "catalogue feeds": lambda n, _: Request(f"/v1/catalogue/available?limit={200 - n % 50}"),
    "a month, plain": lambda n, target: Request(
        f"/v1/schedules/{target.sid}?from={_day(8 + n % 20)}&to={_day(7)}"
    ),
}
"""The kinds of expensive requests, by name; the n-th request of each."""


_one_at_a_time = Lock()


class _Tally(NamedTuple):
    statuses: Counter[int]


def _ask(port: int, key: str, requests: Iterator[Request], until: float, tally: _Tally) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWERED_WITHIN_SECONDS)
    while time.monotonic() < until:
        # A generator may not be asked by two threads at once.
        with _one_at_a_time:
            path, body = next(requests)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST" if body else "GET", path, body, headers)
        response = connection.getresponse()
        response.read()
        tally.statuses[response.status] += 1
        if response.status in (_TOO_MANY, _UNAVAILABLE):
            time.sleep(_PAUSE_SECONDS)


def main() -> None:
    kind, port, key, seconds, *target = sys.argv[1:]
    make, aim = KINDS[kind], Target(*target)
    requests = (make(number, aim) for number in count())
    tally, until = _Tally(Counter()), time.monotonic() + float(seconds)
    threads = [
        Thread(target=_ask, args=(int(port), key, requests, until, tally), daemon=True)
        for _ in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(float(seconds) + _PAUSE_SECONDS)
    print(json.dumps(tally.statuses))


if __name__ == "__main__":
    main()
