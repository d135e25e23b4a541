"""The register of every Redis key, with its type. No other module spells a key.

Every atomic step touches keys of one hash tag only (the part in braces), so the same code runs on one Redis
and on a Redis Cluster. ``<ks>`` is the configured keyspace; two keyspaces share nothing.
"""

from dataclasses import dataclass

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey


def tag(name: bytes) -> str:
    """What stands in braces in the name of a key."""
    return name.decode().partition("{")[2].partition("}")[0]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one keyspace, for example ``schedules``."""

    keyspace: str

    # One schedule, tag {sid/date}.

    def state(self, key: ScheduleKey) -> str:
        """Hash: token, seq, etag, mark, seen, accepted, ancestors."""
        return f"{self.keyspace}:state:{{{key}}}"

    def document(self, key: ScheduleKey) -> str:
        """String: the published document, ready to serve."""
        return f"{self.keyspace}:document:{{{key}}}"

    def outbox(self, key: ScheduleKey) -> str:
        """Sorted set: rows of the change feed that it may not have yet, by sequence number."""
        return f"{self.keyspace}:outbox:{{{key}}}"

    def history(self, key: ScheduleKey) -> str:
        """List: the feed rows of the latest versions, newest first."""
        return f"{self.keyspace}:history:{{{key}}}"

    def version(self, key: ScheduleKey, seq: int) -> str:
        """String: the document of a version that was replaced, compressed after a while. Expires."""
        return f"{self.keyspace}:version:{{{key}}}:{seq}"

    # One catalogue item, tag {pid}.

    def copy(self, pid: Pid) -> str:
        """String: our copy, projected to the fields that outputs use."""
        return f"{self.keyspace}:copy:{{{pid}}}"

    def version_token(self, pid: Pid) -> str:
        """Hash: token (last taken), newest (recorded), owed (to be propagated), missed (a build relies on
        there being no copy). Expires a day after use, unless something is owed or missed.
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
        ``probe``: string that expires, written to see whether anything can be.
        """
        return f"{self.keyspace}:{{work}}:{name}"

    # The change feed, tag {feed}.

    def feed(self, name: str) -> str:
        """``changes``: stream of rows, with the consumer group ``dagster``. ``heads``: hash, the latest row
        by schedule key. ``trimmed``: string, up to which position rows may be gone.
        """
        return f"{self.keyspace}:{{feed}}:{name}"

    # The coldstart, tag {coldstart}.

    def coldstart(self, name: str) -> str:
        """``book``: hash, how it stands. ``left``: sorted set, what is to be built, by its place in the order.
        ``leader``, ``pause``: strings that expire, who prepares it, and that the intake is stopped.
        ``epoch``: hash, which life of this keyspace it is.
        """
        return f"{self.keyspace}:{{coldstart}}:{name}"

    # Alarms, tag {alarms}.

    def alarms(self, name: str) -> str:
        """``episodes``: hash, the latest episode by the alarm's name. ``outbox``, ``attempts``: sorted sets of
        deliveries, by their order and by the end of their lease. ``notices``: hash, by delivery.
        ``booked``, ``watched_since``: strings, the counter of deliveries and when somebody first looked.
        """
        return f"{self.keyspace}:{{alarms}}:{name}"

    # What operators look at, tag {journal}.

    def journal(self, name: str) -> str:
        """``refused``, ``comparisons``, ``failing_checks``, ``counters``, ``durations``, ``intake``,
        ``passes``: hashes. ``compared_refresh``: string. ``publisher``: string that expires, who publishes just now.
        ``parity_trend``: list, past parity reports, the newest first.
        """
        return f"{self.keyspace}:{{journal}}:{name}"

    # What partners are served from, tag {delivery}.

    def delivery(self, name: str) -> str:
        """``served``: hash, from which keyspace partners are served. ``switches``: list of every change of it,
        the newest first. ``partners``: hash, a record by name. ``usage``: hash of totals, and with ``:`` and a
        date in UTC behind it that of a day, which expires.

        ``subscriptions``, ``push_progress``, ``push_tokens``: hashes by subscription, what operators decided, how far
        it is, the token of who pushes it. ``push_leases``: sorted set of subscriptions by the end of their lease.
        ``push_token``: string, the counter of tokens. ``pulses``: hash, when each kind of process was last at work.
        """
        return f"{self.keyspace}:{{delivery}}:{name}"
