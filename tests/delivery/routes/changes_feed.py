"""What the tests of the changes feed share: a feed of five rows, and requests for it."""

from typing import Any

from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, ScheduleRemoved, Slot

from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.partners.partner import Partner

ALDER, NEXT, BIRCH = KEYS
SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))
FEED, STREAM = "/v1/changes", "/v1/changes/stream"


def stage_with_feed() -> DeliveryStage:
    """Five rows of the feed: two versions of a schedule, one of another that is removed then, and one of a second
    service.
    """
    stage = DeliveryStage()
    stage.store.coldstarts.begin_epoch("first")
    for change in (
        SchedulePut(ALDER, SLOTS),
        SchedulePut(NEXT, SLOTS),
        SchedulePut(BIRCH, SLOTS),
        SchedulePut(ALDER, SLOTS, 5),
        ScheduleRemoved(NEXT),
    ):
        stage.publish([change])
    stage.add_partner(Partner("birch-only", stage.clock(), ("birch*",)))
    stage.keep_up()
    return stage


def cursor_at(position: int | str, epoch: str = "first") -> str:
    return render_cursor(FeedCursor(epoch, str(position)))


def get_json(stage: DeliveryStage, path: str, partner: str = "acme", **params: object) -> Any:
    answer = stage.client(partner).get(path, params=params)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows_of(page: Any) -> list[tuple[str, int, bool]]:
    return [(f"{row['sid']}/{row['date']}", row["seq"], row["removed"]) for row in page["changes"]]
