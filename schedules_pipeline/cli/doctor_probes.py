"""The probes of ``schedules-pipeline doctor``, over the pipeline of the session."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from random import SystemRandom

from schedules_pipeline.cli.session import Session
from schedules_pipeline.health.examine import Examiner
from schedules_pipeline.health.ports import DagsterSnapshot
from schedules_pipeline.health.probes import canary, sources
from schedules_pipeline.health.probes.announcements import check_announcements, check_subscriptions
from schedules_pipeline.health.probes.canary import Canaries, canary_names
from schedules_pipeline.health.probes.ports import Arrangement
from schedules_pipeline.health.probes.probe import Finding, Probe, ProbeName, failed, passed, unchecked
from schedules_pipeline.health.probes.queues import judge_queue
from schedules_pipeline.settings import Settings

_S, _DAGSTER_SECONDS = timedelta(seconds=1), 45
_ENDPOINT = "check the network, the credentials, SCHEDULES_AWS_ENDPOINT_URL and SCHEDULES_AWS_REGION"
_DELIVERY = "the delivery service"


@dataclass(frozen=True, slots=True)
class Options:
    """``delivery``: the address of the delivery service, if it is known. ``passive``: send no canaries."""

    canary_seconds: float = 120.0
    delivery: str | None = None
    passive: bool = False


def build_examiner(session: Session, options: Options) -> Examiner:
    pipeline = session.pipeline
    names = canary_names(SystemRandom(), session.now(), pipeline.calendar)
    limit = timedelta(seconds=options.canary_seconds)
    canaries = Canaries(pipeline.store, pipeline.clock, session.sleep, names, limit)
    # One process reads the instance for the probe and for the conditions.
    read_dagster = cache(session.read_dagster)
    probes = [
        *_source_probes(session, canaries),
        *_aws_probes(session.arrangement, session.settings),
        Probe(
            ProbeName.DAGSTER_ANSWERS,
            "Dagster",
            "the instance can be read: sensors, timers, and whether its daemons are alive",
            lambda: _dagster(read_dagster),
            "check DAGSTER_HOME and the database that dagster.yaml names",
            _DAGSTER_SECONDS * _S,
        ),
        Probe(
            ProbeName.DELIVERY_ANSWERS,
            _DELIVERY,
            "the service answers and has schedules to serve",
            lambda: _delivery(options.delivery or _known_address(session.settings)),
            "start the delivery service, or correct its address",
            10 * _S,
        ),
    ]
    return Examiner(
        pipeline.health, probes, () if options.passive else _canaries(session, canaries), read_dagster
    )


def _source_probes(session: Session, canaries: Canaries) -> Iterator[Probe]:
    store, upstreams, names = session.pipeline.store, session.pipeline.upstreams, canaries.names
    yield Probe(
        ProbeName.REDIS_ACCEPTS_WRITES,
        "Redis",
        "Redis is writable: the primary, neither full nor unable to save",
        lambda: sources.probe_writes(store),
        "read `INFO replication`, `INFO persistence` and `INFO memory`",
    )
    yield Probe(
        ProbeName.S3_ANSWERS,
        "S3",
        "S3 itself answers for a listed document and for an absent one, and no gateway in its place",
        lambda: sources.probe_bucket(upstreams.schedule_source, names.key),
        _ENDPOINT,
        30 * _S,
    )
    yield Probe(
        ProbeName.CATALOGUE_ANSWERS,
        "the catalogue keyspace",
        "items that schedules use are found under the configured prefix",
        lambda: sources.probe_catalogue(store, upstreams.catalogue_source, names.pid),
        "check SCHEDULES_CATALOGUE_REDIS_URL",
    )
    yield Probe(
        ProbeName.LEGACY_ANSWERS,
        "the legacy keyspace",
        "the old system's documents can be read",
        lambda: sources.probe_legacy(upstreams.legacy),
        "check SCHEDULES_LEGACY_REDIS_URL",
    )


def _aws_probes(arrangement: Arrangement, settings: Settings) -> Iterator[Probe]:
    for queue, dead in _queues(settings):
        yield Probe(
            ProbeName.QUEUE_ATTRIBUTES,
            queue,
            "the queue and its dead-letter queue exist, with the documented attributes",
            partial(_attributes, arrangement, queue, dead),
            _ENDPOINT,
        )
        yield Probe(
            ProbeName.SUBSCRIPTIONS,
            f"the subscription of {queue}",
            "topics may send to the queue, and it subscribes to them",
            partial(_subscriptions, arrangement, queue),
            _ENDPOINT,
        )
    yield Probe(
        ProbeName.BUCKET_EVENTS,
        f"the events of the bucket {settings.schedule_bucket}",
        "the bucket announces puts, removals and expiry to the queue",
        lambda: _announcements(arrangement, settings),
        _ENDPOINT,
    )


def _canaries(session: Session, canaries: Canaries) -> list[Probe]:
    upstreams, limit = session.pipeline.upstreams, canaries.limit + 15 * _S

    def probe(name: ProbeName, subject: str, proves: str, run: Callable[[], Iterable[Finding]]) -> Probe:
        return Probe(name, subject, proves, run, "read the ticks of the sensors in Dagster", limit)

    return [
        probe(
            ProbeName.CANARY_SCHEDULE,
            canary.SCHEDULE,
            "a message goes through queue, sensor, mark, publisher, S3 and commit",
            lambda: canaries.send_schedule(upstreams.schedule_queue),
        ),
        probe(
            ProbeName.CANARY_ITEM,
            canary.ITEM,
            "a message goes through queue and sensor to the handling of an item",
            lambda: canaries.send_item(upstreams.catalogue_queue),
        ),
    ]


def _queues(settings: Settings) -> list[tuple[str, str]]:
    return [
        (settings.schedule_queue, settings.schedule_dead_letter_queue),
        (settings.catalogue_queue, settings.catalogue_dead_letter_queue),
    ]


def _attributes(arrangement: Arrangement, queue: str, dead: str) -> Iterator[Finding]:
    yield from judge_queue(queue, arrangement.queue(queue), dead, arrangement.queue(dead))


def _subscriptions(arrangement: Arrangement, name: str) -> Iterator[Finding]:
    queue = arrangement.queue(name)
    if queue is None:
        yield unchecked(f"the subscription of {name}", "the queue does not exist")
        return
    yield from check_subscriptions(arrangement, name, queue)


def _announcements(arrangement: Arrangement, settings: Settings) -> Iterator[Finding]:
    queue = arrangement.queue(settings.schedule_queue)
    yield from check_announcements(arrangement, settings.schedule_bucket, queue)


def _dagster(read: Callable[[], DagsterSnapshot]) -> Iterator[Finding]:
    """Sensors that are off are a condition, which the examiner judges."""
    read()
    yield passed("Dagster", "the instance answers")


def _known_address(settings: Settings) -> str | None:
    """The address in the settings, if it was set there. The default port is right on one host only."""
    if settings.delivery_url is not None:
        return settings.delivery_url
    if "delivery_port" not in settings.model_fields_set:
        return None
    return f"http://{settings.delivery_host}:{settings.delivery_port}"


def _delivery(address: str | None) -> Iterator[Finding]:
    from schedules_pipeline.outbound.delivery_check import is_ready  # noqa: PLC0415 - only if it is asked

    if address is None:
        yield unchecked(_DELIVERY, "its address is not known", "name it with --delivery")
    elif is_ready(address):
        yield passed(_DELIVERY, f"{_DELIVERY} at {address} has schedules to serve")
    else:
        text = f"{_DELIVERY} at {address} has nothing to serve, or nothing fresh"
        yield failed(_DELIVERY, text, "read its log: it cannot read the keyspace, or the keyspace is empty")
