"""The register of all Redis keys, with their types. No other module spells a key.

The part in braces is the hash tag. Every atomic step uses keys of one hash tag, so the same code runs on one Redis and
on a Redis Cluster. Words of old releases remain in key names, because stored data outlives them.
"""

from dataclasses import dataclass

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey


def tag(name: bytes) -> str:
    """The hash tag of a key."""
    return name.decode().partition("{")[2].partition("}")[0]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one keyspace, for example ``schedules``."""

    keyspace: str

    # One schedule, tag {sid/date}.

    def state(self, key: ScheduleKey | str) -> str:
        """Hash: token, seq, etag, mark, seen, accepted, ancestors, covered (the airtime now and lately)."""
        return f"{self.keyspace}:state:{{{key}}}"

    def document(self, key: ScheduleKey | str) -> str:
        """String: the published document, as it is served to clients that accept zstd."""
        return f"{self.keyspace}:document:{{{key}}}"

    def outbox(self, key: ScheduleKey | str) -> str:
        """Sorted set: rows that the change feed may lack, by sequence number."""
        return f"{self.keyspace}:outbox:{{{key}}}"

    def history(self, key: ScheduleKey | str) -> str:
        """List: the feed rows of the latest versions, newest first."""
        return f"{self.keyspace}:history:{{{key}}}"

    def versions(self, key: ScheduleKey | str) -> str:
        """List: the documents of replaced versions, newest first. Expires."""
        return f"{self.keyspace}:versions:{{{key}}}"

    def version(self, key: ScheduleKey, seq: int) -> str:
        """String: the document of a version that release 0.2 replaced. Expires."""
        return f"{self.keyspace}:version:{{{key}}}:{seq}"

    # One catalogue item, tag {pid}.

    def copy(self, pid: Pid) -> str:
        """String: the copy of an item, reduced to the fields that outputs use."""
        return f"{self.keyspace}:copy:{{{pid}}}"

    def version_token(self, pid: Pid) -> str:
        """Hash: token (latest taken), newest (latest recorded), owed (pending propagation), missed (a build relies on
        the absence of the item). Expires a day after use, unless ``owed`` or ``missed`` is set.
        """
        return f"{self.keyspace}:fence:{{{pid}}}"

    def dependants(self, pid: Pid) -> str:
        """Sorted set: ``sid/date`` or ``sid/date/broadcast_pid``, by the token that registered it."""
        return f"{self.keyspace}:dependants:{{{pid}}}"

    # The work queue, tag {work}.

    def work(self, name: str) -> str:
        """``dirty``, ``leases``, ``waiting``: sorted sets of schedule keys by due time, lease end, retry time.

        ``causes``, ``claimed_causes``, ``tokens``, ``attempts``, ``set_aside``: hashes by schedule key.
        ``token``: the counter of claims. ``wake``: a list of at most one element, pushed at every mark.
        ``probe``: a string that expires, written to test whether Redis accepts writes.
        """
        return f"{self.keyspace}:{{work}}:{name}"

    # The change feed, tag {feed}.

    def feed(self, name: str) -> str:
        """``changes``: stream of rows, with the consumer group ``dagster``. ``heads``: hash, the latest row
        by schedule key. ``trimmed``: string, the position up to which rows may be missing.
        """
        return f"{self.keyspace}:{{feed}}:{name}"

    # The coldstart, tag {coldstart}.

    def coldstart(self, name: str) -> str:
        """``book``: hash, the state. ``left``: sorted set, the schedules to build, by their place in the order.
        ``leader``, ``pause``: strings that expire, the run that prepares it, and whether the intake is paused.
        ``epoch``: hash, the epoch of this keyspace, the histories of its servers, and the repair after a loss.
        ``repairer``: string that expires, the run that repairs.
        """
        return f"{self.keyspace}:{{coldstart}}:{name}"

    # Losses of airtime, tag {losses}.

    def losses(self, name: str) -> str:
        """Hashes by schedule key. ``holds``: what is not published. ``decisions``: what operators decided. ``ledger``,
        ``replaced``: losses that were let through, and the sources that they replaced, compressed. ``blanked``: airtime
        that was blanked lately. ``event``: string, the id of the latest hold of the budget, and its time.
        """
        return f"{self.keyspace}:{{losses}}:{name}"

    # Alarms, tag {alarms}.

    def alarms(self, name: str) -> str:
        """``episodes``: hash, the latest incident by the alarm's name. ``watched_since``: string,
        the time of the first check. ``lease``: string that expires, held by the watch that checks.
        """
        return f"{self.keyspace}:{{alarms}}:{name}"

    # What operators read, tag {journal}.

    def journal(self, name: str) -> str:
        """``refused``: hash, with its index ``rejections_by_age``, a sorted set by kind and age. ``comparisons``,
        ``failing_checks``, ``counters``, ``durations``, ``intake``, ``passes``: hashes. ``quarantined_broadcasts``:
        hash, a summary by schedule. ``expectations``: hash, expected ranges, by service. ``compared_refresh``,
        ``comparison_summary``: strings.
        ``publishers``: hash that expires, those that are present; ``publisher``: string that expires, one of them, for
        processes of release 0.2. ``receiver:<queue>``: string that expires, while a publisher receives from the queue.
        ``failing_checks:<check>``, ``warned_checks:<check>``: hashes, a summary by schedule; ``failing_checks`` is that
        of release 0.2. ``parity_trend``, ``memory_samples``: lists, past
        parity reports and samples of Redis' memory, newest first. ``dagster``: string, what only Dagster knows.
        """
        return f"{self.keyspace}:{{journal}}:{name}"

    # What partners are served from, tag {delivery}.

    def delivery(self, name: str) -> str:
        """``served``: hash, the keyspace that partners are served from. ``switches``: list of its changes, newest
        first. ``partners``: hash of records by name. ``usage``: hash of totals; ``usage:<date>``: the same for one day
        in UTC, expires. ``sessions``, ``sign_in_links``: hashes by digest, expire.

        ``subscriptions``, ``push_progress``, ``push_tokens``: hashes by subscription, its definition, its progress, and
        the token of its pusher. ``push_leases``: sorted set of subscriptions by the end of their lease.
        ``push_token``: string, the counter of tokens. ``pulses``: hash, the latest heartbeat by kind of process.
        """
        return f"{self.keyspace}:{{delivery}}:{name}"
