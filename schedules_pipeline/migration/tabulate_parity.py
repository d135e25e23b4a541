"""Makes the tables of the parity report with pandas: by service, by date, by field, by reason. Pure.

Only the reporter imports this module, and only for a report: pandas takes longer to import than the rest of the
pipeline, and a publisher must start quickly.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from schedules_pipeline.migration.judge_parity import Evidence, find_objections, find_remarks, find_standing
from schedules_pipeline.migration.ports import (
    FieldTally,
    ParityReport,
    Requirements,
    Standing,
    Tally,
    Verdict,
)

_MOST_WORST = 100
_MOST_REASON_CHARACTERS = 200
_COLUMNS = ["sid", "date", "verdict", "comparable", "matching"]


def tabulate(evidence: Evidence, requirements: Requirements, now: datetime) -> ParityReport:
    everything = sorted(evidence.published | evidence.legacy)
    standings = tuple(find_standing(key, evidence) for key in everything)
    frame = _frame(standings)
    overall = _tally("all", frame)
    held = tuple(s for s in standings if s.verdict is Verdict.HELD)
    not_comparable = [s for s in standings if s.verdict is Verdict.NOT_COMPARABLE]
    return ParityReport(
        at=now,
        requirements=requirements,
        overall=overall,
        verdicts={v: int((frame["verdict"] == v.value).sum()) for v in Verdict},
        objections=tuple(find_objections(overall, evidence, requirements, now)),
        remarks=tuple(find_remarks(overall, evidence, now, len(held))),
        refreshed_at=evidence.refreshed_at,
        compared_refresh=evidence.compared_refresh,
        by_service=_tallies(frame, "sid"),
        by_date=_tallies(frame, "date"),
        by_field=_tally_fields(standings),
        reasons=_count_reasons(not_comparable),
        held=held,
        worst=_worst(standings),
        only_ours=tuple(sorted(evidence.published - evidence.legacy)),
        only_theirs=tuple(sorted(evidence.legacy - evidence.published)),
        standings=standings,
        trend=evidence.trend,
    )


def _frame(standings: Sequence[Standing]) -> pd.DataFrame:
    rows = [
        (
            str(s.key.sid),
            s.key.date.isoformat(),
            s.verdict.value,
            s.is_comparable,
            s.verdict is Verdict.MATCHES,
        )
        for s in standings
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _tally(name: str, frame: pd.DataFrame) -> Tally:
    return Tally(name, len(frame), int(frame["comparable"].sum()), int(frame["matching"].sum()))


def _tallies(frame: pd.DataFrame, by: str) -> tuple[Tally, ...]:
    return tuple(_tally(str(name), group) for name, group in frame.groupby(by, sort=True))


def _tally_fields(standings: Sequence[Standing]) -> tuple[FieldTally, ...]:
    """The kept differences by field and service, the most frequent first."""
    rows = [(d[1], str(s.key.sid), str(s.key)) for s in standings for d in s.differences]
    if not rows:
        return ()
    frame = pd.DataFrame(rows, columns=["field", "sid", "key"])
    counted: Any = frame.groupby(["field", "sid"])["key"].agg(["nunique", "size"]).reset_index()
    counted = counted.sort_values(["nunique", "size", "field", "sid"], ascending=[False, False, True, True])
    return tuple(
        FieldTally(field, sid, int(schedules), int(differences))
        for field, sid, schedules, differences in counted.itertuples(index=False)
    )


def _count_reasons(standings: Sequence[Standing]) -> tuple[tuple[str, int], ...]:
    """The reasons why schedules could not be compared, the most frequent first."""
    reasons = pd.Series([s.reason[:_MOST_REASON_CHARACTERS] for s in standings], dtype="object")
    counted = reasons.value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    return tuple((str(reason), int(count)) for reason, count in counted.items())


def _worst(standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """Schedules that differ: standing differences before suspected ones, the most differences first."""
    differing = [s for s in standings if s.verdict in (Verdict.DIFFERS, Verdict.SUSPECTED)]
    differing.sort(key=lambda s: (s.verdict is not Verdict.DIFFERS, -s.difference_count, s.key))
    return tuple(differing[:_MOST_WORST])
