"""The publishers that are present, on Redis: a hash in which each has its own expiry, by the clock of Redis.

Release 0.2 has one publisher, in a string that expires. While a process of it may run beside this release, the scripts
write that string too, and a name in it that the hash lacks counts as a publisher.
"""

from schedules_pipeline.publishing.ports.presence import STARTING, Publishers
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, Script

_RUNNING, _LEAVING = "running", "leaving"


class RedisPublisherPresence:
    """Implements :class:`PublisherPresence`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._publishers, self._of_release_0_2 = keys.journal("publishers"), keys.journal("publisher")
        self._reserve, self._renew = link.script("reserve_publisher"), link.script("renew_publisher")
        self._leave = link.script("leave_publisher")

    def reserve(self, name: str, seconds: int, most: int) -> bool:
        return bool(self._run(self._reserve, name, seconds, most))

    def renew(self, name: str, seconds: int, *, reservation: str = "", is_leaving: bool = False) -> None:
        self._run(self._renew, name, seconds, _LEAVING if is_leaving else _RUNNING, reservation)

    def leave(self, name: str) -> None:
        self._run(self._leave, name)

    def present(self) -> Publishers:
        asked = [("HGETALL", self._publishers), ("GET", self._of_release_0_2)]
        now, (fields, older) = self._link.run_with_time(self._publishers, asked)
        # When it joined, its name, and its state.
        found: list[tuple[int, str, str]] = []
        for name, value in fields.items():
            joined, until, state = value.decode().split(" ")
            if int(until) > now * 1000:
                found.append((int(joined), name.decode(), state))
        if older is not None and older not in fields:
            name = older.decode()
            found.append((0, name, STARTING if name.startswith(STARTING) else _RUNNING))
        found.sort()
        return Publishers(
            running=tuple(name for _, name, state in found if state == _RUNNING),
            leaving=tuple(name for _, name, state in found if state == _LEAVING),
            starting=sum(state == STARTING for *_, state in found),
        )

    def _run(self, script: Script, *arguments: str | int) -> object:
        result: object = self._link.call(
            *script.command([self._publishers, self._of_release_0_2], list(arguments))
        )
        return result
