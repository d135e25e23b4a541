"""Heads and conditions of answers in pieces, for which nothing needs to be rendered."""

from datetime import timedelta
from typing import Any

import pytest
from delivery.asking import Stage
from delivery.guides import NOON, TODAY, key, schedule, showing

from schedules_pipeline.delivery.routes import answering
from schedules_pipeline.domain.identifiers import Sid

_PATHS = [
    f"/v1/schedules.xmltv?date={TODAY}",
    f"/v1/schedules.tva?date={TODAY}",
    "/players/{access}/guide.xml.gz",
]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Two services, of which nothing can be rendered."""

    def fail(*_: Any) -> None:
        raise RuntimeError("nothing is to be rendered")

    stage = Stage()
    stage.publish(
        *(schedule(key(Sid(sid)), [showing(1, NOON + timedelta(hours=1))]) for sid in ("elm", "fir"))
    )
    monkeypatch.setattr(answering, "_render_pieces", fail)
    return stage


def _path(stage: Stage, path: str) -> str:
    return path.replace("{access}", stage.client.headers["Authorization"].removeprefix("Bearer "))


@pytest.mark.parametrize("path", _PATHS)
def test_a_head_renders_nothing_and_costs_one_token(stage: Stage, path: str) -> None:
    """It has the tag, and no length, because that is not known."""
    answer = stage.client.head(_path(stage, path))

    assert answer.status_code == 200
    assert answer.headers["etag"]
    assert "content-length" not in answer.headers
    assert "schedules-cost" not in answer.headers


@pytest.mark.parametrize("path", _PATHS)
def test_any_tag_is_that_of_an_answer_in_pieces(stage: Stage, path: str) -> None:
    """`If-None-Match: *` asks only whether there is an answer."""
    answer = stage.client.get(_path(stage, path), headers={"If-None-Match": "*"})

    assert (answer.status_code, answer.content) == (304, b"")
