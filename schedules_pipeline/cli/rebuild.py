"""``schedules-pipeline rebuild``: one schedule, some, or all, from their sources, in this process."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import click

from schedules_pipeline.cli.arguments import DATE, KEY, SERVICE, is_within, not_found, unknown_service
from schedules_pipeline.cli.endings import CommandExit, Ending, end_as
from schedules_pipeline.cli.printing import (
    confirm,
    json_option,
    print_json,
    print_table,
    progress,
    remark,
    say,
    yes_option,
)
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.publish import BATCH_SIZE
from schedules_pipeline.publishing.rebuild import BatchResult, BuildResult


@dataclass(slots=True)
class _Outcomes:
    """What became of all batches. ``failed``: could not be fetched; they are tried again by any publisher."""

    built: list[BuildResult] = field(default_factory=list)
    failed: dict[ScheduleKey, str] = field(default_factory=dict)

    def add(self, batch: BatchResult) -> None:
        self.built += batch.built
        self.failed |= {key: str(error) for key, error in batch.failed.items()}

    def counts(self) -> Mapping[str, int]:
        return Counter(str(built.outcome) for built in self.built) + Counter({"failed": len(self.failed)})


@click.command("rebuild", short_help="Rebuild schedules from their sources, now.")
@click.argument("keys", nargs=-1, type=KEY, metavar="[SID/DATE]...")
@click.option(
    "--service", "services", type=SERVICE, multiple=True, metavar="SID", help="All days of a service."
)
@click.option("--from", "first", type=DATE, metavar="DATE", help="Of these, no day before this one.")
@click.option("--to", "last", type=DATE, metavar="DATE", help="Of these, no day after this one.")
@click.option(
    "--all", "everything", is_flag=True, help="Every schedule that the source lists or that we hold."
)
@yes_option
@json_option
@pass_session
def command(
    session: Session,
    keys: tuple[ScheduleKey, ...],
    services: tuple[Sid, ...],
    first: date | None,
    last: date | None,
    everything: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Rebuild schedules from their sources, now, in this process.

    Their documents are fetched anew and every catalogue copy that they use is compared with its source. What is
    right already is not published again. Asks before more than one.
    """
    is_choice = bool(services or first or last or everything)
    if bool(keys) == is_choice:
        raise click.UsageError(
            "name schedules as SID/DATE, or choose them by --service, --from, --to or --all"
        )
    chosen = _known(session.pipeline, keys) if keys else _choose(session.pipeline, services, first, last)
    if len(chosen) > 1:
        confirm(f"Rebuild {counted(len(chosen), 'schedule')}?", yes=yes)
    outcomes = _rebuild(session, chosen)
    if as_json:
        print_json(_as_fields(outcomes))
    else:
        _print(outcomes)
    if outcomes.failed:
        end_as(Ending.NO_ANSWER)


def _known(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> list[ScheduleKey]:
    """Each once; a name that is neither published nor in the source is more likely mistyped than meant."""
    heads = pipeline.store.feed.heads()
    strangers = [key for key in keys if key not in heads]
    for key, found in pipeline.upstreams.schedule_source.fetch(strangers).items() if strangers else ():
        if found is None:
            raise not_found(key, heads)
    return list(dict.fromkeys(keys))


def _choose(
    pipeline: Pipeline, services: Sequence[Sid], first: date | None, last: date | None
) -> list[ScheduleKey]:
    """By date first, so that a batch holds the regional variants that share their episodes."""
    listed = set(pipeline.upstreams.schedule_source.list_keys()) | pipeline.store.feed.heads().keys()
    known = {key.sid for key in listed}
    for sid in services:
        if sid not in known:
            raise CommandExit(unknown_service(sid, known))
    chosen = [
        key for key in listed if (not services or key.sid in services) and is_within(key.date, first, last)
    ]
    if not chosen:
        raise CommandExit("there is no such schedule, neither in the source nor published")
    return sorted(chosen, key=lambda key: (key.date, key.sid))


def _rebuild(session: Session, keys: Sequence[ScheduleKey]) -> _Outcomes:
    """Batch by batch; where a service fails in the middle, what was done so far is said before."""
    outcomes = _Outcomes()
    cause = session.cause(str(keys[0]) if len(keys) == 1 else f"{len(keys)} schedules")
    with progress("rebuilding", len(keys)) as advance:
        for start in range(0, len(keys), BATCH_SIZE):
            batch = keys[start : start + BATCH_SIZE]
            try:
                outcomes.add(session.pipeline.publisher.rebuild_from_sources(batch, cause))
            except ServiceError:
                remark(f"{start} of {counted(len(keys), 'schedule')} were rebuilt before this:")
                raise
            advance(len(batch))
    return outcomes


def _as_fields(outcomes: _Outcomes) -> dict[str, object]:
    return {
        "counts": dict(outcomes.counts()),
        "schedules": [
            {"schedule": str(built.key), "outcome": str(built.outcome), "seq": built.seq}
            for built in outcomes.built
        ],
        "failed": [{"schedule": str(key), "reason": reason} for key, reason in outcomes.failed.items()],
    }


def _print(outcomes: _Outcomes) -> None:
    say(", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.counts().items()))
    if len(outcomes.built) == 1 and (only := outcomes.built[0]):
        say(f"{only.key} is at version {only.seq}" if only.etag else f"{only.key}: partners see nothing")
    if outcomes.failed:
        print_table(["could not be fetched", "reason"], outcomes.failed.items())
        say("they are tried again by any publisher")
