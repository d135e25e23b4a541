"""Lost and changed records are found, counted by part and repaired, on fakes and on Redis."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest
from damage import EPISODE_PID, KEY, KEYS, OTHER, PIDS, SERIES_PID, Damage, damage_to_fakes, damage_to_redis
from fakes import FakeClock, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from from_scratch import coldstart, contents, find_missing_entries
from redis import Redis
from toy_world import BROADCASTS, ItemPut, SchedulePut, Slot

from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import redis_store
from schedules_pipeline.documents.partner_document import (
    Publication,
    hash_content,
    render_document,
    split_document,
)
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.errors import InvalidRecord, ServiceError
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.maintenance.find_differences import Part, is_document_right
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.maintenance.reconcile import EVERYTHING, MAY_WAIT, Share
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.rebuild import Rebuilder
from schedules_pipeline.store.link import RedisLink, connect


class Stage:
    """Two published schedules that show one episode of a series."""

    def __init__(self, pipeline: Pipeline, upstreams: FakeUpstreams, clock: FakeClock, harm: Damage) -> None:
        self.pipeline = pipeline
        self.store = pipeline.store
        self.upstreams = upstreams
        self.clock = clock
        self.harm = harm
        ItemPut(EPISODE_PID, "Harbour Lights", SERIES_PID).write(upstreams)
        ItemPut(SERIES_PID, "Salt and Slate").write(upstreams)
        for key in KEYS:
            self.put(key, 0)
        pipeline.publisher.rebuild_from_sources(KEYS, self.cause())

    def cause(self) -> Cause:
        return Cause("e", Origin.OPERATOR, "test", self.clock())

    def put(self, key: ScheduleKey, minutes: int) -> None:
        """Put a new document into the bucket without announcing it."""
        SchedulePut(key, (Slot(BROADCASTS[0], EPISODE_PID), Slot(BROADCASTS[1], None)), minutes).write(
            self.upstreams
        )

    def reconcile(self) -> dict[str, int]:
        """The counts that are not 0, after a reconciliation and the builds that it caused."""
        counts = self.pipeline.reconciler.reconcile().counts
        self.pipeline.publisher.publish_all()
        return {name: count for name, count in counts.items() if count and name != "schedules"}

    def require_all_is_well(self) -> None:
        assert self.reconcile() == {}
        assert contents(self.store, KEYS) == coldstart(self.upstreams, KEYS)
        assert find_missing_entries(self.store, KEYS, PIDS) == []
        states = self.store.schedules.read(KEYS)
        heads = {key: (head.seq, head.etag) for key, head in self.store.feed.heads().items()}
        assert heads == {key: (state.seq, state.etag) for key, state in states.items()}


@pytest.fixture(params=["fakes", "redis"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    clock = FakeClock()
    upstreams = fake_upstreams(clock, Random(0))
    if request.param == "fakes":
        fakes = fake_store(clock)
        yield Stage(
            pipeline_over(fakes.as_store(), upstreams, clock), upstreams, clock, damage_to_fakes(fakes)
        )
        return
    client: Redis = request.getfixturevalue("redis_client")
    server: RedisServer = request.getfixturevalue("redis_server")
    with connect(server.url) as own:
        store = redis_store(RedisLink(own), "reconciled")
        yield Stage(pipeline_over(store, upstreams, clock), upstreams, clock, damage_to_redis(client))


def _away() -> None:
    raise ServiceError("S3: away")


@pytest.mark.parametrize(("waits_seconds", "explained"), [(0, 0), (3_600, 1)])
def test_a_change_that_waits_in_a_queue_is_no_lost_write(
    stage: Stage, waits_seconds: int, explained: int
) -> None:
    """It is repaired all the same, and the report says that a waiting message may announce it."""
    queue = QueueName.SCHEDULE_EVENTS
    stage.store.queue_polls.record_poll(QueueName.CATALOGUE_EVENTS, stage.clock(), None)
    stage.store.queue_polls.record_poll(queue, stage.clock() - timedelta(seconds=waits_seconds), None)
    stage.upstreams.schedule_queue.post("{}")
    stage.put(KEYS[0], 5)

    counts = stage.reconcile()

    assert counts["differed"] == counts["mended"] == 1
    assert counts.get(MAY_WAIT, 0) == explained


def test_without_damage_nothing_differs(stage: Stage) -> None:
    """Every published schedule agrees with its sources, and no version is published."""
    before = stage.store.feed.heads()

    assert stage.reconcile() == {}
    assert stage.store.feed.heads() == before


def test_a_lost_document_is_published_again(stage: Stage) -> None:
    """The stored state still says that it is there."""
    stage.harm.delete_document()

    assert stage.reconcile() == {"suspected": 1, "differed": 1, Part.DOCUMENT: 1, "mended": 1}
    stage.require_all_is_well()


@pytest.mark.parametrize("what", ["other content under the same etag", "cut off", "another's etag too"])
def test_a_corrupted_document_is_published_again(stage: Stage, what: str) -> None:
    """The stored state says that the right bytes are published already."""
    document = stage.store.schedules.documents([KEY])[KEY]
    publication, content = split_document(document)
    other = content.replace(b"Harbour", b"Corrupt")
    stage.harm.replace_document(
        {
            "other content under the same etag": render_document(KEY, publication, other),
            "cut off": document[: len(document) // 2],
            "another's etag too": render_document(KEY, replace(publication, etag=hash_content(other)), other),
        }[what]
    )

    assert stage.reconcile() == {"suspected": 1, "differed": 1, Part.DOCUMENT: 1, "mended": 1}
    stage.require_all_is_well()


def test_a_document_of_a_removed_schedule_is_deleted(stage: Stage) -> None:
    """Partners would see a removed schedule, while the state says that they see none."""
    document = stage.store.schedules.documents([KEY])[KEY]
    stage.upstreams.schedule_source.remove(KEY)
    stage.pipeline.publisher.rebuild_from_sources([KEY], stage.cause())
    stage.harm.replace_document(document)

    assert stage.reconcile() == {"suspected": 1, "differed": 1, Part.DOCUMENT: 1, "mended": 1}
    assert stage.store.schedules.documents([KEY]) == {}


def test_lost_index_entries_are_registered_again(stage: Stage) -> None:
    """Nothing is published, because the documents were right; but the next change would not have reached them."""
    seqs = {key: head.seq for key, head in stage.store.feed.heads().items()}
    stage.harm.delete_entry()

    assert stage.reconcile() == {"suspected": 2, "differed": 2, Part.INDEX: 2, "mended": 2}
    assert {key: head.seq for key, head in stage.store.feed.heads().items()} == seqs
    stage.require_all_is_well()


def test_an_altered_copy_is_read_from_its_source_again(stage: Stage) -> None:
    """It is found before a document is built from it; every schedule that uses it counts."""
    stage.harm.alter_copy()

    assert stage.reconcile() == {"suspected": 2, "differed": 2, Part.COPIES: 2, "mended": 2}
    stage.require_all_is_well()


def test_lost_copies_are_inserted_again(stage: Stage) -> None:
    """The documents are still right, and would lose their programmes if the catalogue lost the items too."""
    stage.harm.delete_copy()

    assert stage.reconcile() == {"suspected": 2, "differed": 2, Part.COPIES: 2, "mended": 2}
    assert stage.store.copies.read(PIDS).keys() == set(PIDS)
    stage.require_all_is_well()


def test_a_lost_state_is_rebuilt_under_the_next_number(stage: Stage) -> None:
    """With number 1 again, the feed and its clients would take the version for an old one."""
    before = stage.store.feed.heads()[KEY].seq
    stage.harm.delete_state()

    counts = stage.reconcile()

    names = ["suspected", "differed", Part.SOURCE, Part.DOCUMENT, Part.FEED, "mended"]
    assert counts == dict.fromkeys(names, 1)
    assert stage.store.feed.heads()[KEY].seq == before + 1
    stage.require_all_is_well()


def test_a_lost_head_is_announced_again(stage: Stage) -> None:
    """The same bytes are published as a new version, because the row itself is lost."""
    stage.harm.delete_head()

    assert stage.reconcile() == {"suspected": 2, "differed": 2, Part.FEED: 2, "mended": 2}
    stage.require_all_is_well()


def test_a_lost_notification_of_a_document_is_made_good(stage: Stage) -> None:
    """The bucket has a new document that was not announced within the grace period."""
    stage.put(KEY, minutes=5)

    counts = stage.reconcile()

    assert counts == {"suspected": 1, "differed": 1, Part.SOURCE: 1, Part.DOCUMENT: 1, "mended": 1}
    stage.require_all_is_well()


def test_a_lost_notification_of_an_item_is_made_good(stage: Stage) -> None:
    """Every schedule that shows an episode below the item is rebuilt."""
    ItemPut(SERIES_PID, "Quiet Viaduct").write(stage.upstreams)

    counts = stage.reconcile()

    assert counts == {"suspected": 2, "differed": 2, Part.COPIES: 2, Part.DOCUMENT: 2, "mended": 2}
    stage.require_all_is_well()


def test_a_deleted_item_is_no_difference(stage: Stage) -> None:
    """Deletions are not propagated: the last good copy stays in use."""
    stage.upstreams.catalogue_source.documents.clear()

    assert stage.reconcile() == {}


def test_a_rejected_document_is_no_difference(stage: Stage) -> None:
    """The schedule is compared with the last accepted document."""
    stage.upstreams.schedule_source.put(KEY, b"{")
    stage.pipeline.publisher.rebuild_from_sources([KEY], stage.cause())

    assert stage.reconcile() == {}


def test_a_rejection_that_was_lost_is_recorded_again(stage: Stage) -> None:
    """Otherwise no operator would ever hear of the document."""
    stage.upstreams.schedule_source.put(KEY, b"{")

    assert stage.reconcile() == {"suspected": 1, "differed": 1, "records": 1, "mended": 1}
    assert stage.store.rejections.all().keys() == {str(KEY)}


def test_records_of_a_document_that_is_no_longer_there_are_forgotten(stage: Stage) -> None:
    """A failover of Redis has lost their deletion."""
    stage.store.rejections.keep({str(KEY): Rejection("odd", stage.clock(), "", "", "")})
    stage.store.quarantined_broadcasts.keep({OTHER: "1 broadcast quarantined"})

    assert stage.reconcile() == {"suspected": 2, "differed": 2, "records": 2, "mended": 2}
    assert stage.store.rejections.all() == {}
    assert stage.store.quarantined_broadcasts.all() == {}


def test_a_schedule_with_a_pending_change_is_passed_over(stage: Stage) -> None:
    """The result of the change is not known yet."""
    stage.harm.delete_document()
    stage.store.work.mark([Mark(KEY, stage.clock(), stage.cause())])

    assert stage.reconcile() == {"passed over": 1}


def test_a_change_that_arrives_within_the_grace_does_not_count(stage: Stage) -> None:
    """It differed at first, because its notification was still on its way."""
    stage.put(KEY, minutes=5)

    def arrive(seconds: float) -> None:
        stage.pipeline.publisher.rebuild_from_sources([KEY], stage.cause())

    # The one moment in which something can arrive.
    stage.pipeline.reconciler = replace(stage.pipeline.reconciler, wait=arrive)

    assert stage.reconcile() == {"suspected": 1}


def test_a_schedule_whose_source_does_not_answer_is_passed_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither right nor wrong, and the others are compared."""
    fetch = stage.upstreams.schedule_source._fetch_one
    failing = {KEY: ServiceError("S3: slow down")}

    def fetch_or_fail(key: ScheduleKey) -> object:
        if key in failing:
            raise failing[key]
        return fetch(key)

    monkeypatch.setattr(stage.upstreams.schedule_source, "_fetch_one", fetch_or_fail)

    assert stage.reconcile() == {"passed over": 1}


def test_schedules_that_cannot_be_repaired_are_the_problem(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report names the schedules and is stored."""
    stage.harm.delete_document()
    rebuild = stage.pipeline.publisher.rebuild_from_sources

    def rebuild_in_vain(keys: Sequence[ScheduleKey], cause: Cause) -> None:
        rebuild(keys, cause)
        stage.harm.delete_document()

    monkeypatch.setattr(stage.pipeline.publisher, "rebuild_from_sources", rebuild_in_vain)

    report = stage.pipeline.reconciler.reconcile()

    assert report.counts["not mended"] == 1
    assert report.problem == f"1 schedules still differ from their sources after they were rebuilt: {KEY}"
    assert stage.store.passes.all()[PassName.RECONCILIATION].latest.problem == report.problem


def test_a_failed_rebuild_is_still_being_mended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It will be retried, so it counts neither as repaired nor as the problem."""
    stage.harm.delete_document()

    def fail(*_: object, **__: object) -> None:
        raise InvalidRecord("copy of s0000001: is none of ours")

    with monkeypatch.context() as patch:
        patch.setattr(Rebuilder, "build", fail)
        report = stage.pipeline.reconciler.reconcile()
    stage.clock.advance(timedelta(minutes=1))
    stage.pipeline.publisher.publish_all()

    assert (report.counts["being mended"], report.problem) == (1, "")
    stage.require_all_is_well()


def test_a_source_that_does_not_answer_is_the_problem(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass ends and is recorded as failed."""
    monkeypatch.setattr(stage.upstreams.schedule_source, "list_keys", _away)

    with pytest.raises(ServiceError):
        stage.pipeline.reconciler.reconcile()

    latest = stage.store.passes.all()[PassName.RECONCILIATION].latest
    assert latest.problem == "ServiceError: S3: away"


def test_a_schedule_past_the_horizon_is_left_to_the_collection(stage: Stage) -> None:
    """It is neither published again nor counted."""
    stage.harm.delete_document()
    pipeline = pipeline_over(stage.store, stage.upstreams, stage.clock, RetentionHorizon(1))
    stage.clock.advance(timedelta(days=5))

    assert pipeline.reconciler.reconcile().counts["schedules"] == 0


def test_a_pass_reports_its_progress(stage: Stage) -> None:
    """One line for each batch, and one for the result."""
    said: list[str] = []

    stage.pipeline.reconciler.reconcile(EVERYTHING, said.append)

    assert said == [
        "2 of 2 schedules compared, 0 suspected to differ",
        "0 of 2 schedules differ from their sources",
    ]


def test_every_schedule_is_in_one_share() -> None:
    """For any number of shares; and no share holds nearly all schedules."""
    keys = [ScheduleKey(Sid(f"s{n}"), date(2026, 3, day)) for n in range(40) for day in range(1, 29)]

    shares = [[key for key in keys if Share(number, 24).has(key)] for number in range(1, 25)]

    assert sorted(key for share in shares for key in share) == sorted(keys)
    assert max(map(len, shares)) < 2 * len(keys) / 24


def test_a_share_compares_only_its_own_schedules(stage: Stage) -> None:
    """Damage to another schedule is found by another share."""
    stage.harm.delete_document()

    found = [stage.pipeline.reconciler.reconcile(Share(n, 5)).counts["differed"] for n in range(1, 6)]

    assert sorted(found) == [0, 0, 0, 0, 1]


def test_a_document_is_checked_against_its_own_hash() -> None:
    """Envelope, content and number must match each other; nothing is built for this check."""
    content = b"[]"
    etag = hash_content(content)
    good = render_document(KEY, Publication(3, FakeClock()(), etag), content)

    assert is_document_right(good, etag, 3)
    assert is_document_right(None, "", 3)
    assert not is_document_right(good, etag, 4)
    assert not is_document_right(good, "", 3)
    assert not is_document_right(None, etag, 3)
    assert not is_document_right(b"", etag, 3)
    assert not is_document_right(good.replace(b"[]", b"[ ]"), etag, 3)
