"""The examples of OpenAPI: answers of the real application. ``python -m delivery.recorded_examples`` writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, Slot

from schedules_pipeline.delivery.routes import openapi
from schedules_pipeline.maintenance.ports import PassName, PassReport
from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin
from schedules_pipeline.push.subscription import Subscription, SubscriptionKind

FILE: Final = Path(openapi.__file__).with_name("examples.json")
_DAY: Final = "2026-03-28"
_ASKED: Final = {
    "list_services": "/v1/services",
    "get_schedule": f"/v1/schedules/alder/{_DAY}",
    "get_days": f"/v1/schedules/alder?from={_DAY}&to=2026-03-29",
    "get_services_of_a_day": f"/v1/schedules?date={_DAY}&sid={KEYS[2].sid}&sid=cedar",
    "get_digest": "/v1/digest",
    "get_changes": "/v1/changes?since={cursor}&limit=1",
    "get_now_next": "/v1/now-next?sid=alder",
    "get_broadcasts": f"/v1/programmes/{EPISODES[0]}/broadcasts?from={_DAY}T00:00:00Z",
    "get_available": "/v1/catalogue/available?limit=1",
    "get_subscriptions": "/v1/subscriptions",
    "get_status": "/v1/status",
}


def answers() -> Mapping[str, Any]:
    """By operation."""
    stage = DeliveryStage()
    stage.keep_up()
    cursor = stage.client().get("/v1/status").json()["cursor"]
    slots = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))
    stage.publish([ItemPut(EPISODES[0], "Harbour Lights"), *(SchedulePut(key, slots) for key in KEYS)])
    stage.store.passes.record(PassReport(PassName.WATCH, stage.clock(), stage.clock(), {"open": 0}))
    hook = Subscription(
        "acme-webhook", "acme", SubscriptionKind.WEBHOOK, "https://acme.example/changes", stage.clock()
    )
    SubscriptionAdmin(stage.store.as_store(), stage.clock).register(hook)
    stage.keep_up()
    client = stage.client()
    return {
        name: client.get(path.format(cursor=cursor)).raise_for_status().json()
        for name, path in _ASKED.items()
    }


if __name__ == "__main__":
    FILE.write_bytes(orjson.dumps(answers(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
