"""The latest polls of the queues, on Redis."""

from datetime import datetime

from schedules_pipeline.health.ports import QueueName, QueuePolls
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink


class RedisQueuePollStore:
    """Implements :class:`QueuePollStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("intake")
        self._receivers = {queue: keys.journal(f"receiver:{queue}") for queue in QueueName}

    def record_poll(self, queue: QueueName, began_at: datetime, oldest_sent_at: datetime | None) -> None:
        began = began_at.isoformat()
        kind, instant = (
            ("empty_at", began) if oldest_sent_at is None else ("sent_at", oldest_sent_at.isoformat())
        )
        self._link.call("HSET", self._key, f"{queue} polled_at", began, f"{queue} {kind}", instant)

    def all(self) -> dict[QueueName, QueuePolls]:
        rows = self._link.call("HGETALL", self._key)
        instants = {field.decode(): datetime.fromisoformat(value.decode()) for field, value in rows.items()}
        return {
            queue: QueuePolls(
                *(instants.get(f"{queue} {kind}") for kind in ("polled_at", "empty_at", "sent_at"))
            )
            for queue in QueueName
        }

    def announce_receiver(self, queue: QueueName, seconds: int) -> None:
        self._link.call("SET", self._receivers[queue], "1", "EX", seconds)

    def withdraw_receiver(self, queue: QueueName) -> None:
        self._link.call("DEL", self._receivers[queue])

    def has_receiver(self, queue: QueueName) -> bool:
        return bool(self._link.call("EXISTS", self._receivers[queue]))
