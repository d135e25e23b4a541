"""The service with published schedules, and televisions that ask it: some as the public, some with a key."""

from dataclasses import replace
from datetime import timedelta

from delivery.asking import Stage
from delivery.guides import ALDER, BIRCH, NOON, key, schedule, showing
from starlette.testclient import TestClient

from schedules_pipeline.domain.identifiers import Pid, Sid
from schedules_pipeline.domain.programme import TitledItem
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.settings import Settings

HOUR = timedelta(hours=1)
SILENT = Sid("cedar_silent")
NOON_SECONDS = int(NOON.timestamp())
PUBLIC = "/dvb-i/televisions"
REGIONS = {
    "television_services": {
        ALDER: {"number": 1, "regions": ["north"], "dash": "https://streams.example/alder.mpd"},
        BIRCH: {"number": 1, "regions": ["south"]},
    },
    "television_regions": {
        "north": {"name": "The North", "countries": "GBR"},
        "south": {"name": "The South", "countries": "GBR"},
    },
}


def service_id(sid: Sid) -> str:
    return f"tag:schedules.example,2024:{sid}"


def crid(pid: str) -> str:
    return f"crid://schedules.example/{pid}"


def episodes(first: int = 0) -> list[Broadcast]:
    """Nine hours of a brand, each of another episode; that of noon is ``p0000005``."""
    return [
        showing(first + number, NOON + (number - 5) * HOUR, 60, episode_pid=Pid(f"p000000{number}"))
        for number in range(9)
    ]


def _last_of_its_brand() -> Broadcast:
    brand = TitledItem(pid=Pid("b0000088"), title="The Last")
    return showing(70, NOON - 8 * HOUR, 60, episode_pid=Pid("p0000088"), brand=brand, series=None)


class Televisions:
    """``televisions`` is public and sees alder; ``everyone`` has a key and sees all; cedar shows nothing."""

    def __init__(self, **settings: object) -> None:
        self.stage = Stage(settings=Settings(**settings))  # type: ignore[arg-type]
        self.key = self.stage.client.headers["Authorization"].removeprefix("Bearer ")
        self.stage.ask_as("televisions", ("alder*",))
        self.change_public(is_public=True, keys=())
        self.stage.publish(
            schedule(key(), [*episodes(), showing(20, NOON + 9 * HOUR, 60, episode_pid=None)]),
            schedule(key(BIRCH), [*episodes(first=30), _last_of_its_brand()]),
            schedule(key(SILENT), []),
        )
        self.client = TestClient(self.stage.client.app)

    def change_public(self, **changes: object) -> None:
        self.stage.partners[-1] = replace(self.stage.partners[-1], **changes)  # type: ignore[arg-type]
        self.refresh()

    def refresh(self) -> None:
        self.stage.delivery.admission.refresh(self.stage.partners, {}, self.stage.clock())

    def get(self, path: str, *pairs: tuple[str, object], access: str = "televisions") -> bytes:
        """The answer, which must succeed."""
        asked: list[tuple[str, str | int | float | bool | None]] = [
            (name, str(value)) for name, value in pairs
        ]
        answer = self.client.get(f"/dvb-i/{access}/{path}", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.content
