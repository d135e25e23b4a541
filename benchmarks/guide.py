"""The guide in a real browser: how long a page of a large broadcaster takes until a reader can use it.

*Interactive*: since the navigation began, the page has loaded, its script has run, and the browser is idle.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from redis import Redis

from benchmarks.delivery_world import Keyspace, add_partner
from benchmarks.engine import make_engine, rebuild_everything
from benchmarks.harness import Bench, Figure, Result, WrongResult, take_turns
from benchmarks.scale_world import ScaledSource
from benchmarks.world import whole_sample, write_catalogue
from demo.browser import Browser, Tab, installed_chromium
from demo.delivery_service import DeliveryService
from demo.servers import RedisServer
from schedules_pipeline.connections import utc_now
from schedules_pipeline.partners.partner import MOST_REQUESTS_PER_MINUTE, Partner

_GOAL_SECONDS = 1.0
_DESKTOP, _PHONE = (1440, 900), (390, 844)
_PATIENCE_SECONDS = 60.0

_NOTE_IDLE = """
addEventListener("load", () => requestIdleCallback(() => { window.idleAt = performance.now(); }));
"""
_READ = """(() => {
  const page = performance.getEntriesByType("navigation")[0];
  return {
    painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    interactive: window.idleAt, sent: page.encodedBodySize, plain: page.decodedBodySize,
    elements: document.getElementsByTagName("*").length,
  };
})()"""


@dataclass(frozen=True, slots=True)
class _Size:
    """``copies``: of the sample's 44 services."""

    copies: int
    days: int
    rounds: int


_FULL = _Size(copies=7, days=14, rounds=9)
_QUICK = _Size(copies=1, days=2, rounds=1)


def run(bench: Bench) -> Result:
    executable = installed_chromium()
    if executable is None:
        raise WrongResult("no Chromium is installed")
    size = _QUICK if bench.quick else _FULL
    with RedisServer(bench.directory / "redis") as redis:
        bench.say("publishing")
        keyspace, services = _publish(redis.url, size)
        partner = Partner(
            "reader",
            utc_now(),
            is_operator=True,
            is_preview=True,
            requests_per_minute=MOST_REQUESTS_PER_MINUTE,
        )
        key = add_partner(keyspace, partner)
        environment = {**os.environ, "SCHEDULES_REDIS_URL": redis.url}
        with (
            DeliveryService(bench.directory / "delivery", environment) as service,
            Browser(executable, bench.directory / "chromium") as browser,
            browser.tab() as tab,
        ):
            _sign_in(tab, service, key)
            opened = {
                name: partial(_open, tab, service.url, *view) for name, view in _views(keyspace).items()
            }
            samples = take_turns(opened, size.rounds)
    return Result(
        {"services": services, "days": size.days, **_sizes(samples)},
        [figure for name, of_view in samples.items() for figure in _figures(name, of_view)],
    )


def _publish(redis_url: str, size: _Size) -> tuple[Keyspace, int]:
    """As many services as the copies have, from yesterday on."""
    source = ScaledSource(whole_sample(utc_now().date() - timedelta(days=1), size.days), size.copies)
    write_catalogue(Redis.from_url(redis_url, protocol=2), source.catalogue())
    engine = make_engine(redis_url, source)
    keys = list(source.list_keys())
    rebuild_everything(engine, keys)
    engine.store.coldstarts.begin_epoch("first")
    return Keyspace("schedules", engine, {}), len({key.sid for key in keys})


def _views(keyspace: Keyspace) -> Mapping[str, tuple[str, tuple[int, int]]]:
    first = min(keyspace.pipeline.store.feed.heads())
    return {
        "the grid, desktop": ("/guide", _DESKTOP),
        "the grid, phone": ("/guide", _PHONE),
        "the grid, a whole day": ("/guide?from=06:00", _DESKTOP),
        "a schedule": (f"/guide/{first.sid}/{utc_now().date()}", _DESKTOP),
    }


def _sign_in(tab: Tab, service: DeliveryService, key: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not service.admits(key):
        if time.monotonic() > deadline:
            raise WrongResult("the delivery service does not know the reader")
        time.sleep(0.1)
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=_NOTE_IDLE)
    tab.go(f"{service.url}/sign-in")
    tab.evaluate(f"document.getElementById('key').value = {json.dumps(key)}")
    tab.evaluate("document.getElementById('sign-in').submit()")
    tab.wait_until("location.pathname == '/guide' && document.readyState == 'complete'")


def _open(tab: Tab, url: str, path: str, size: tuple[int, int]) -> dict[str, Any]:
    tab.resize(*size)
    # Otherwise the page would be shown from the browser's memory.
    tab.go("about:blank")
    tab.go(url + path)
    tab.wait_until("window.idleAt")
    measured: dict[str, Any] = tab.evaluate(_READ)
    return measured


def _figures(name: str, samples: list[dict[str, Any]]) -> list[Figure]:
    return [
        Figure(f"{name}: first paint", "s", [sample["painted"] / 1_000 for sample in samples]),
        Figure(
            f"{name}: interactive", "s", [sample["interactive"] / 1_000 for sample in samples], _GOAL_SECONDS
        ),
    ]


def _sizes(samples: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    return {
        name: f"{of[-1]['elements']:,} elements, {of[-1]['plain'] / 1e3:,.0f} kB, {of[-1]['sent'] / 1e3:,.0f} kB sent"
        for name, of in samples.items()
    }
