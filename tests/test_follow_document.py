"""The client in the document for partners' developers holds the published state."""

import re
from random import Random
from typing import Any

import pytest
from delivery_stage import DeliveryStage
from toy_world import FOCI, KEYS, RandomUpstream, ScheduleRemoved

from docs.site.pages import REPOSITORY

_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Partner:
    """Runs the document's client against the delivery service, without waiting for changes."""

    def __init__(self, stage: DeliveryStage) -> None:
        (source,) = _PYTHON.findall((REPOSITORY / "docs/partners/follow.md").read_text())
        self._names: dict[str, Any] = {}
        exec(source, self._names)
        self._stage = stage
        self.held: dict[str, Any] = {}

    def follow(self, rounds: int) -> None:
        self._names["follow"](self._get, self.held, rounds)

    def _get(self, path: str) -> tuple[int, Any]:
        answer = self._stage.client().get(path.replace("wait=30", "wait=0"))
        return answer.status_code, answer.json()


@pytest.mark.parametrize("seed", range(5))
def test_client_of_the_document_holds_what_is_published(seed: int) -> None:
    """After random changes, a removal, and a new feed that refuses every cursor."""
    stage = DeliveryStage(seed)
    upstream = RandomUpstream(Random(seed), FOCI[0], troubled=False)
    partner = Partner(stage)
    for round_number in range(6):
        stage.publish([upstream.change() for _ in range(3)])
        if round_number == 3:
            stage.publish([ScheduleRemoved(KEYS[0])])
            stage.store.coldstarts.renew_epoch("another")
        stage.keep_up()

        partner.follow(rounds=3)

        published = stage.store.schedules.documents(KEYS)
        assert partner.held == {
            str(key): stage.client().get(f"/v1/schedules/{key}").json() for key in published
        }
