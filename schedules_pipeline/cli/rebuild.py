"""``schedules-pipeline rebuild``: one schedule, some, or all, from their sources, in this process."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import click

from schedules_pipeline.cli.answer import Answer, Shown, answering, confirm, progress, table, until_failure
from schedules_pipeline.cli.arguments import (
    DATE,
    KEY,
    SERVICE,
    all_option,
    not_found,
    unknown_service,
    yes_option,
)
from schedules_pipeline.cli.session import CommandExit, Ending, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.publish import BATCH_SIZE
from schedules_pipeline.publishing.rebuild import BatchResult, BuildResult


@click.command("rebuild")
@click.argument("keys", nargs=-1, type=KEY, metavar="[SID/DATE]...")
@click.option(
    "--service", "services", type=SERVICE, multiple=True, metavar="SID", help="All days of a service."
)
@click.option("--from", "first", type=DATE, metavar="DATE", help="No day before this one.")
@click.option("--to", "last", type=DATE, metavar="DATE", help="No day after this one.")
@all_option("Every schedule in the source or in the store.")
@yes_option
@answering
def command(
    session: Session,
    keys: tuple[ScheduleKey, ...],
    services: tuple[Sid, ...],
    first: date | None,
    last: date | None,
    everything: bool,
    yes: bool,
) -> Answer:
    """Rebuild schedules from their sources, now, in this process.

    Their documents are fetched anew, and every catalogue copy that they use is compared with its source. A schedule
    that is right already is not published again. Asks before more than one.
    """
    if bool(keys) == bool(services or first or last or everything):
        raise click.UsageError(
            "name schedules as SID/DATE, or choose them by --service, --from, --to or --all"
        )
    chosen = _known(session.pipeline, keys) if keys else _choose(session.pipeline, services, first, last)
    if len(chosen) > 1:
        confirm(f"Rebuild {counted(len(chosen), 'schedule')}?", yes=yes)
    batches, failure = until_failure(_rebuild(session, chosen))
    return _answer(batches, failure)


def _known(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> list[ScheduleKey]:
    """Each schedule once. Raises :class:`CommandExit` for one that is neither published nor in the source."""
    heads = pipeline.store.feed.heads()
    unpublished = [key for key in keys if key not in heads]
    for key, found in pipeline.upstreams.schedule_source.fetch(unpublished).items() if unpublished else ():
        if found is None:
            raise not_found(key, heads)
    return list(dict.fromkeys(keys))


def _choose(
    pipeline: Pipeline, services: Sequence[Sid], first: date | None, last: date | None
) -> list[ScheduleKey]:
    """Ordered by date, so that a batch holds the regional variants that share their episodes."""
    listed = set(pipeline.upstreams.schedule_source.list_keys()) | pipeline.store.feed.heads().keys()
    known = {key.sid for key in listed}
    for sid in services:
        if sid not in known:
            raise CommandExit(unknown_service(sid, known))
    days = (first or date.min, last or date.max)
    chosen = [
        key for key in listed if (not services or key.sid in services) and days[0] <= key.date <= days[1]
    ]
    if not chosen:
        raise CommandExit("there is no such schedule, neither in the source nor published")
    return sorted(chosen, key=lambda key: (key.date, key.sid))


def _rebuild(session: Session, keys: Sequence[ScheduleKey]) -> Iterator[BatchResult]:
    """Batch by batch."""
    cause = session.cause(str(keys[0]) if len(keys) == 1 else f"{len(keys)} schedules")
    with progress(session) as update:
        for start in range(0, len(keys), BATCH_SIZE):
            batch = keys[start : start + BATCH_SIZE]
            yield session.pipeline.publisher.rebuild_from_sources(batch, cause)
            update("rebuilding", start + len(batch), len(keys))


def _answer(batches: Sequence[BatchResult], failure: ServiceError | None) -> Answer:
    built = [result for batch in batches for result in batch.built]
    failed = {key: str(error) for batch in batches for key, error in batch.failed.items()}
    counts = Counter(str(result.outcome) for result in built) + Counter({"failed": len(failed)})
    document = {
        "counts": dict(counts),
        "schedules": [{"schedule": str(r.key), "outcome": str(r.outcome), "seq": r.seq} for r in built],
        "failed": [{"schedule": str(key), "reason": reason} for key, reason in failed.items()],
    }
    ending = Ending.NO_ANSWER if failed else Ending.WELL
    return Answer(document, _shown(counts, built, failed), ending, failure=failure)


def _shown(
    counts: Mapping[str, int], built: Sequence[BuildResult], failed: Mapping[ScheduleKey, str]
) -> Iterator[Shown]:
    yield ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()) or "nothing was rebuilt"
    if len(built) == 1 and (only := built[0]):
        yield (
            f"{only.key} is at version {only.seq}"
            if only.change.etag
            else f"{only.key}: partners see nothing"
        )
    if failed:
        yield table(["could not be fetched", "reason"], failed.items())
        yield "the next publisher retries them"
