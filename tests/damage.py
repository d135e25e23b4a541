"""Two schedules over one episode of a series, and ways to damage the records of one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from fakes import FakeStore
from redis import Redis
from toy_world import EPISODES, SERIES

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.store.keys import Keys

KEY, OTHER = (ScheduleKey(Sid(sid), date(2026, 3, 28)) for sid in ("alder", "birch"))
KEYS = [KEY, OTHER]
EPISODE_PID, SERIES_PID = EPISODES[0], SERIES[0]
PIDS = [EPISODE_PID, SERIES_PID]
_ALTERED = b'["series","Altered",null,"","","","",null]'


@dataclass(frozen=True, slots=True)
class Damage:
    """Ways to damage the records of one kind of store."""

    delete_document: Callable[[], None]
    replace_document: Callable[[bytes], None]
    delete_entry: Callable[[], None]
    alter_copy: Callable[[], None]
    delete_copy: Callable[[], None]
    delete_state: Callable[[], None]
    delete_head: Callable[[], None]


def damage_to_fakes(fakes: FakeStore) -> Damage:
    kept, copies, scores = fakes.schedules.kept, fakes.copies.copies, fakes.references.scores

    def set_document(document: bytes | None) -> None:
        kept[KEY].document = document

    def delete_state() -> None:
        lost = kept.pop(KEY)
        fakes.schedules._keep(KEY).document = lost.document

    return Damage(
        delete_document=lambda: set_document(None),
        replace_document=set_document,
        delete_entry=scores[SERIES_PID].clear,
        alter_copy=lambda: copies.update({SERIES_PID: _ALTERED}),
        delete_copy=copies.clear,
        delete_state=delete_state,
        delete_head=fakes.feed._heads.clear,
    )


def damage_to_redis(client: Redis) -> Damage:
    keys = Keys("reconciled")
    return Damage(
        delete_document=lambda: _do(client.delete(keys.document(KEY))),
        replace_document=lambda document: _do(client.set(keys.document(KEY), document)),
        delete_entry=lambda: _do(client.delete(keys.dependants(SERIES_PID))),
        alter_copy=lambda: _do(client.set(keys.copy(SERIES_PID), _ALTERED)),
        delete_copy=lambda: _do(client.delete(*map(keys.copy, PIDS))),
        delete_state=lambda: _do(client.delete(keys.state(KEY))),
        delete_head=lambda: _do(client.delete(keys.feed("heads"))),
    )


def _do(done: object) -> None:
    """Fails if the damage had no effect, because the test would then test nothing."""
    assert done
