"""The figures of a replay as text, each case of regret with its service, day, times and amount."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from demo.replay.oracle.account import Account, Difference
from demo.replay.oracle.holds import Hold, Verdict
from demo.replay.oracle.losses import Loss
from demo.replay.oracle.on_air import Seam
from demo.replay.replaying import Replayed

_MOST_NAMED = 40


def report(replayed: Replayed) -> Iterator[str]:
    """The lines of the report."""
    account = replayed.account
    yield from _figures(replayed)
    yield from _cases(
        "documents that differed on the way or at the end", map(_difference, account.differences)
    )
    yield ""
    yield "regret"
    yield from _regret(account)


def _figures(replayed: Replayed) -> Iterator[str]:
    counts, versions, time = replayed.account.counts, replayed.versions, replayed.time
    yield (
        f"documents    {counts.at_the_end:,} compared at the end, {len(replayed.differing):,} differ; "
        f"{counts.compared - counts.at_the_end:,} comparisons on the way, "
        f"{counts.not_judged:,} of sources that the oracle cannot read"
    )
    yield (
        f"versions     {versions:,} published, {counts.changed:,} documents truly changed; "
        f"{counts.withheld:,} withheld at first, {versions - counts.shown:,} needless"
    )
    yield f"rebuilt      {replayed.rebuilt:,} schedules, {counts.affected:,} truly affected"
    yield (
        f"throughput   {replayed.events / time.seconds:,.0f} events a second: {replayed.events:,} in "
        f"{time.seconds:.1f} s, {time.processor_seconds:.1f} of them on a processor; the oracle's time is left out"
    )


def _regret(account: Account) -> Iterator[str]:
    now, holds = account.now, sorted(account.holds.all, key=lambda hold: hold.since)
    behind = sum(hold.seconds_behind(now) for hold in holds) / 3600
    yield from _cases(
        f"partners were behind for {behind:,.1f} hours because of",
        (_hold(hold, now) for hold in holds),
        "hold",
    )
    yield f"  {sum(hold.verdict is Verdict.WRONG for hold in holds):,} of these holds were wrong"
    faults, lost = account.losses.faults(), len(account.losses.all)
    yield from _cases(f"of {lost:,} losses let through, taken back within a day", map(_loss, faults))
    seams = sorted(account.on_air.seams.values(), key=lambda seam: seam.start)
    unseen = [seam for seam in seams if not seam.is_reported]
    yield from _cases(f"of {len(seams):,} seams on air, reported by no check", map(_seam, unseen))


def _cases(title: str, cases: Iterable[str], noun: str = "") -> Iterator[str]:
    """A title with the number of cases, then each case."""
    named = list(cases)
    plural = f" {noun}{'' if len(named) == 1 else 's'}" if noun else ""
    yield f"  {title}: {len(named):,}{plural}"
    yield from (f"    {case}" for case in named[:_MOST_NAMED])
    if len(named) > _MOST_NAMED:
        yield f"    … and {len(named) - _MOST_NAMED:,} more"


def _difference(difference: Difference) -> str:
    return f"{_name(difference.key)}  at {_time(difference.at)}: {difference.detail}"


def _hold(hold: Hold, now: int) -> str:
    until = "still at the end" if hold.until is None else f"until {_time(hold.until)}"
    return (
        f"{_name(hold.key)}  from {_time(hold.since)} {until}, {hold.seconds_behind(now) / 3600:.1f} h behind, "
        f"{hold.seconds_on_air(now) / 3600:.1f} of them on air, "
        f"{_minutes(sum(end - start for start, end in hold.lost))} lost: {hold.verdict.value}"
    )


def _loss(loss: Loss) -> str:
    restored = "" if loss.restored_at is None else f", restored {_time(loss.restored_at)}"
    return f"{_name(loss.key)}  at {_time(loss.at)}, {_minutes(loss.seconds)}{restored}"


def _seam(seam: Seam) -> str:
    what = f"{'gap' if seam.is_gap else 'overlap'} of {_minutes(seam.seconds)}"
    days: Sequence[str] = sorted({date for _, date in seam.keys})
    where = f"{'between' if seam.is_between_days else 'within'} {' and '.join(days)}"
    return f"{seam.sid}  {what} from {_time(seam.start)}, {where}: {' and '.join(seam.pids)}"


def _name(key: tuple[str, str]) -> str:
    return "/".join(key)


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _minutes(seconds: int) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
