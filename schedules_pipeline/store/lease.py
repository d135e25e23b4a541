"""A lease on Redis: a string that expires, with the name of its holder."""

from datetime import timedelta

from schedules_pipeline.store.link import RedisLink


class RedisLease:
    def __init__(self, link: RedisLink, key: str) -> None:
        self._link = link
        self._key = key
        self._acquire, self._release = link.script("acquire_lease"), link.script("release_lease")

    def acquire(self, holder: str, lease_for: timedelta) -> bool:
        """Acquire the lease, or renew it. False if another one holds it."""
        milliseconds = int(lease_for.total_seconds() * 1000)
        return bool(self._link.call(*self._acquire.command([self._key], [holder, milliseconds])))

    def release(self, holder: str) -> None:
        """It does not affect the lease of another holder, who has it if this one was too slow."""
        self._link.call(*self._release.command([self._key], [holder]))
