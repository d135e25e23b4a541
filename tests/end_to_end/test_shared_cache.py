"""A shared cache in front of the service answers televisions, and follows what is published."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import structlog
from end_to_end.guide_in_browser import ONE, Broadcaster, serving
from televisions.shared_cache import SharedCache, find_nginx
from televisions.stage import service_id

from schedules_pipeline.partners.partner import Partner

pytestmark = [
    pytest.mark.long,
    pytest.mark.end_to_end,
    pytest.mark.skipif(find_nginx() is None, reason="no nginx"),
]

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
_NAME = "cached-televisions"
_FRESH_SECONDS, _QUESTIONS = 5, 2_000


@pytest.fixture
def cache(broadcaster: Broadcaster, tmp_path: Path) -> Iterator[httpx2.Client]:
    """A client of the cache. The public may ask the service itself 30 times a minute."""
    partner = Partner(_NAME, datetime.now(UTC), is_preview=True, is_public=True, requests_per_minute=30)
    assert broadcaster.pipeline.store.partners.create(partner)
    with (
        serving(broadcaster, tmp_path / "delivery") as service,
        SharedCache(tmp_path / "nginx", find_nginx() or "", service.port) as cache,
        httpx2.Client(base_url=f"http://127.0.0.1:{cache.port}", timeout=30) as client,
    ):
        yield client


def test_a_cache_carries_the_televisions(cache: httpx2.Client, broadcaster: Broadcaster) -> None:
    """Of two thousand questions the service is asked as many as its limits allow; all are answered, a held copy is
    confirmed, and a change is seen.
    """
    start = int(time.time()) // 10_800 * 10_800
    question = {"sid": service_id(ONE), "start": str(start), "end": str(start + 21_600)}
    began = time.monotonic()
    answers = [cache.get(f"/dvb-i/{_NAME}/schedule", params=question) for _ in range(_QUESTIONS)]
    took = time.monotonic() - began

    assert Counter(answer.status_code for answer in answers) == {200: _QUESTIONS}
    asked = Counter(answer.headers["x-cache"] for answer in answers)
    assert _QUESTIONS - asked["HIT"] <= 2 * (took / _FRESH_SECONDS + 2), asked
    held = {"If-None-Match": answers[0].headers["etag"]}
    assert cache.get(f"/dvb-i/{_NAME}/schedule", params=question, headers=held).status_code == 304

    broadcaster.retitle_brand("The Cached Lamp")
    published = time.monotonic()
    while "The Cached Lamp" not in cache.get(f"/dvb-i/{_NAME}/schedule", params=question).text:
        assert time.monotonic() - published < 6 * _FRESH_SECONDS
    seen = time.monotonic() - published
    _log.info(
        "cache", per_second=int(_QUESTIONS / took), asked=dict(asked), seen_after_seconds=round(seen, 1)
    )
