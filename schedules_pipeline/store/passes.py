"""Results of the full passes, on Redis: a hash with fields by the pass's name."""

from schedules_pipeline.documents.record import Record
from schedules_pipeline.maintenance.ports import PassName, PassRecord, PassReport
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_REPORT = Record(PassReport, "pass report")


class RedisPassStore:
    """Implements :class:`PassStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("passes")

    def record(self, report: PassReport) -> None:
        name, written = report.name.value, _REPORT.render(report)
        commands: list[tuple[str | bytes | float, ...]] = [
            ("HSET", self._key, f"{name} latest", written),
            ("HINCRBY", self._key, f"{name} runs", 1),
            ("HINCRBY", self._key, f"{name} failures", int(not report.succeeded)),
            ("HINCRBYFLOAT", self._key, f"{name} seconds", report.seconds),
        ]
        if report.succeeded:
            commands.append(("HSET", self._key, f"{name} success", written))
        self._link.run(commands)

    def all(self) -> dict[PassName, PassRecord]:
        rows = {field.decode(): value for field, value in self._link.call("HGETALL", self._key).items()}
        return {name: _record(name, rows) for name in PassName if f"{name} latest" in rows}


def _record(name: PassName, rows: dict[str, bytes]) -> PassRecord:
    success = rows.get(f"{name} success")
    return PassRecord(
        latest=_REPORT.parse(rows[f"{name} latest"]),
        latest_success=None if success is None else _REPORT.parse(success),
        runs=int(rows.get(f"{name} runs", 0)),
        failures=int(rows.get(f"{name} failures", 0)),
        seconds=float(rows.get(f"{name} seconds", 0)),
    )
