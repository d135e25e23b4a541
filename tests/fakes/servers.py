"""The fake servers of a keyspace."""

from dataclasses import replace

from fakes.conditions import Conditions, Fake, answered, step
from schedules_pipeline.maintenance.servers import Lineage, RedisServerFacts

HEALTHY = RedisServerFacts(
    "127.0.0.1:6379", "7.0.15", "master", Lineage("run-1", "history-1", 0), has_append_only_file=True
)


class FakeServers(Fake):
    """Implements :class:`ServerStore`: one server, whose facts tests may set."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.found = [HEALTHY]

    @answered
    @step
    def facts(self) -> list[RedisServerFacts]:
        return list(self.found)

    def fail_over(self) -> None:
        """Another server continues the keyspace; has no checkpoint."""
        before = self.found[0].lineage
        number = int(before.run_id.rpartition("-")[2]) + 1
        lineage = Lineage(
            f"run-{number}", f"history-{number}", before.offset, before.replication_id, before.offset
        )
        self.found = [replace(self.found[0], lineage=lineage)]
