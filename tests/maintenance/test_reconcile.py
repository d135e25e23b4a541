"""What was lost or changed behind our back is found, counted under its kind and mended; on fakes and on Redis."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

import pytest
from fakes import FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from from_scratch import coldstart, contents, find_missing_entries
from redis import Redis
from toy_world import BROADCASTS, EPISODES, SERIES, ItemPut, SchedulePut, Slot

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
from schedules_pipeline.maintenance.find_differences import Part, is_document_right
from schedules_pipeline.maintenance.ports.passes import PassName
from schedules_pipeline.maintenance.reconcile import EVERYTHING, Share
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.rebuild import Rebuilder
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, connect

_KEY, _OTHER = (ScheduleKey(Sid(sid), date(2026, 3, 28)) for sid in ("alder", "birch"))
_KEYS = [_KEY, _OTHER]
_EPISODE, _SERIES = EPISODES[0], SERIES[0]
_PIDS = [_EPISODE, _SERIES]
_ALTERED = b'["series","Altered",null,"","","","",null]'


@dataclass(frozen=True, slots=True)
class Damage:
    """Ways to damage one kind of store behind its own back."""

    delete_document: Callable[[], None]
    replace_document: Callable[[bytes], None]
    delete_entry: Callable[[], None]
    alter_copy: Callable[[], None]
    delete_copy: Callable[[], None]
    delete_state: Callable[[], None]
    delete_head: Callable[[], None]


class Stage:
    """Two schedules that show one episode of a series are published, and all is well."""

    def __init__(self, pipeline: Pipeline, upstreams: FakeUpstreams, clock: FakeClock, harm: Damage) -> None:
        self.pipeline = pipeline
        self.store = pipeline.store
        self.upstreams = upstreams
        self.clock = clock
        self.harm = harm
        ItemPut(_EPISODE, "Harbour Lights", _SERIES).write(upstreams)
        ItemPut(_SERIES, "Salt and Slate").write(upstreams)
        for key in _KEYS:
            self.put(key, 0)
        pipeline.publisher.rebuild_from_sources(_KEYS, self.cause())

    def cause(self) -> Cause:
        return Cause("e", Origin.OPERATOR, "test", self.clock())

    def put(self, key: ScheduleKey, minutes: int) -> None:
        """A new document in the bucket, that nobody has heard of."""
        SchedulePut(key, (Slot(BROADCASTS[0], _EPISODE), Slot(BROADCASTS[1], None)), minutes).write(
            self.upstreams
        )

    def reconcile(self) -> dict[str, int]:
        """What was found, of everything that was; then everybody builds what was marked meanwhile."""
        counts = self.pipeline.reconciler.reconcile().counts
        self.pipeline.publisher.publish_all()
        return {name: count for name, count in counts.items() if count and name != "schedules"}

    def require_all_is_well(self) -> None:
        assert self.reconcile() == {}
        assert contents(self.store, _KEYS) == coldstart(self.upstreams, _KEYS)
        assert find_missing_entries(self.store, _KEYS, _PIDS) == []
        states = self.store.schedules.read(_KEYS)
        heads = {key: (head.seq, head.etag) for key, head in self.store.feed.heads().items()}
        assert heads == {key: (state.seq, state.etag) for key, state in states.items()}


@pytest.fixture(params=["fakes", "redis"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    clock = FakeClock()
    upstreams = fake_upstreams(clock, Random(0))
    if request.param == "fakes":
        fakes = fake_store(clock)
        yield Stage(
            pipeline_over(fakes.as_store(), upstreams, clock), upstreams, clock, _damage_to_fakes(fakes)
        )
        return
    client: Redis = request.getfixturevalue("redis_client")
    server: RedisServer = request.getfixturevalue("redis_server")
    with connect(server.url) as own:
        store = redis_store(RedisLink(own), "reconciled")
        yield Stage(pipeline_over(store, upstreams, clock), upstreams, clock, _damage_to_redis(client))


def _damage_to_fakes(fakes: FakeStore) -> Damage:
    kept, copies, scores = fakes.schedules.kept, fakes.copies.copies, fakes.references.scores

    def set_document(document: bytes | None) -> None:
        kept[_KEY].document = document

    def delete_state() -> None:
        lost = kept.pop(_KEY)
        fakes.schedules._keep(_KEY).document = lost.document

    return Damage(
        delete_document=lambda: set_document(None),
        replace_document=set_document,
        delete_entry=scores[_SERIES].clear,
        alter_copy=lambda: copies.update({_SERIES: _ALTERED}),
        delete_copy=copies.clear,
        delete_state=delete_state,
        delete_head=fakes.feed._heads.clear,
    )


def _damage_to_redis(client: Redis) -> Damage:
    keys = Keys("reconciled")
    return Damage(
        delete_document=lambda: _do(client.delete(keys.document(_KEY))),
        replace_document=lambda document: _do(client.set(keys.document(_KEY), document)),
        delete_entry=lambda: _do(client.delete(keys.dependants(_SERIES))),
        alter_copy=lambda: _do(client.set(keys.copy(_SERIES), _ALTERED)),
        delete_copy=lambda: _do(client.delete(*map(keys.copy, _PIDS))),
        delete_state=lambda: _do(client.delete(keys.state(_KEY))),
        delete_head=lambda: _do(client.delete(keys.feed("heads"))),
    )


def _away() -> None:
    raise ServiceError("S3: away")


def _do(done: object) -> None:
    """The damage was done, or the test would test nothing."""
    assert done


def test_nothing_differs_where_all_is_well(stage: Stage) -> None:
    """Everything that was published is as its sources say, and nothing is published for it."""
    before = stage.store.feed.heads()

    assert stage.reconcile() == {}
    assert stage.store.feed.heads() == before


def test_a_document_that_vanished_is_published_again(stage: Stage) -> None:
    """The state still says that it is there."""
    stage.harm.delete_document()

    assert stage.reconcile() == {"suspected": 1, "differed": 1, Part.DOCUMENT: 1, "mended": 1}
    stage.require_all_is_well()


@pytest.mark.parametrize("what", ["other content under the same etag", "cut off", "another's etag too"])
def test_a_document_that_was_corrupted_is_published_again(stage: Stage, what: str) -> None:
    """Though the state says that these bytes are published already."""
    document = stage.store.schedules.documents([_KEY])[_KEY]
    publication, content = split_document(document)
    other = content.replace(b"Harbour", b"Corrupt")
    stage.harm.replace_document(
        {
            "other content under the same etag": render_document(_KEY, publication, other),
            "cut off": document[: len(document) // 2],
            "another's etag too": render_document(
                _KEY, replace(publication, etag=hash_content(other)), other
            ),
        }[what]
    )

    assert stage.reconcile() == {"suspected": 1, "differed": 1, Part.DOCUMENT: 1, "mended": 1}
    stage.require_all_is_well()


def test_a_document_of_a_schedule_that_is_gone_is_taken_away(stage: Stage) -> None:
    """Partners would see what the source has removed, and the state says that they see nothing."""
    document = stage.store.schedules.documents([_KEY])[_KEY]
    stage.upstreams.schedule_source.remove(_KEY)
    stage.pipeline.publisher.rebuild_from_sources([_KEY], stage.cause())
    stage.harm.replace_document(document)

    assert stage.reconcile() == {"suspected": 1, "differed": 1, Part.DOCUMENT: 1, "mended": 1}
    assert stage.store.schedules.documents([_KEY]) == {}


def test_lost_index_entries_are_registered_again(stage: Stage) -> None:
    """Nothing is published, for the documents were right; but a change would have reached nobody."""
    seqs = {key: head.seq for key, head in stage.store.feed.heads().items()}
    stage.harm.delete_entry()

    assert stage.reconcile() == {"suspected": 2, "differed": 2, Part.INDEX: 2, "mended": 2}
    assert {key: head.seq for key, head in stage.store.feed.heads().items()} == seqs
    stage.require_all_is_well()


def test_an_altered_copy_is_taken_from_its_source_again(stage: Stage) -> None:
    """Before a document was built of it; every schedule that uses it counts."""
    stage.harm.alter_copy()

    assert stage.reconcile() == {"suspected": 2, "differed": 2, Part.COPIES: 2, "mended": 2}
    stage.require_all_is_well()


def test_lost_copies_are_planted_again(stage: Stage) -> None:
    """The documents are still right, and would lose their programmes at the next rebuild without a source."""
    stage.harm.delete_copy()

    assert stage.reconcile() == {"suspected": 2, "differed": 2, Part.COPIES: 2, "mended": 2}
    assert stage.store.copies.read(_PIDS).keys() == set(_PIDS)
    stage.require_all_is_well()


def test_a_lost_state_is_built_anew_under_a_number_that_the_feed_takes(stage: Stage) -> None:
    """It would begin with 1 again, which the feed takes for an old row, and so would everybody who follows it."""
    before = stage.store.feed.heads()[_KEY].seq
    stage.harm.delete_state()

    counts = stage.reconcile()

    names = ["suspected", "differed", Part.SOURCE, Part.DOCUMENT, Part.FEED, "mended"]
    assert counts == dict.fromkeys(names, 1)
    assert stage.store.feed.heads()[_KEY].seq == before + 1
    stage.require_all_is_well()


def test_a_head_that_the_feed_lost_is_announced_again(stage: Stage) -> None:
    """As a new version of the same bytes, for the row itself is gone."""
    stage.harm.delete_head()

    assert stage.reconcile() == {"suspected": 2, "differed": 2, Part.FEED: 2, "mended": 2}
    stage.require_all_is_well()


def test_a_lost_notification_of_a_document_is_made_good(stage: Stage) -> None:
    """The bucket has a new one, and nobody has said so for longer than the grace."""
    stage.put(_KEY, minutes=5)

    counts = stage.reconcile()

    assert counts == {"suspected": 1, "differed": 1, Part.SOURCE: 1, Part.DOCUMENT: 1, "mended": 1}
    stage.require_all_is_well()


def test_a_lost_notification_of_an_item_is_made_good(stage: Stage) -> None:
    """For every schedule that shows something below it."""
    ItemPut(_SERIES, "Quiet Viaduct").write(stage.upstreams)

    counts = stage.reconcile()

    assert counts == {"suspected": 2, "differed": 2, Part.COPIES: 2, Part.DOCUMENT: 2, "mended": 2}
    stage.require_all_is_well()


def test_an_item_that_the_source_has_no_more_is_no_difference(stage: Stage) -> None:
    """Deletions are not propagated: the copy is the last good one, and the document says what it says."""
    stage.upstreams.catalogue_source.documents.clear()

    assert stage.reconcile() == {}


def test_a_rejected_document_is_no_difference(stage: Stage) -> None:
    """What was accepted last stays, and that is what is compared with."""
    stage.upstreams.schedule_source.put(_KEY, b"{")

    assert stage.reconcile() == {}


def test_what_is_about_to_be_built_is_passed_over(stage: Stage) -> None:
    """A change is on its way, and nobody knows yet what it will bring."""
    stage.harm.delete_document()
    stage.store.work.mark([Mark(_KEY, stage.clock(), stage.cause())])

    assert stage.reconcile() == {"passed over": 1}


def test_a_change_that_arrives_within_the_grace_does_not_count(stage: Stage) -> None:
    """It differed at first, because its notification was still on its way."""
    stage.put(_KEY, minutes=5)

    def arrive(seconds: float) -> None:
        stage.pipeline.publisher.rebuild_from_sources([_KEY], stage.cause())

    stage.pipeline.reconciler._wait = arrive  # the one moment in which something can arrive

    assert stage.reconcile() == {"suspected": 1}


def test_a_schedule_whose_source_does_not_answer_is_passed_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither right nor wrong; the others are looked at all the same."""
    fetch = stage.upstreams.schedule_source._fetch_one
    failing = {_KEY: ServiceError("S3: slow down")}

    def fetch_or_fail(key: ScheduleKey) -> object:
        if key in failing:
            raise failing[key]
        return fetch(key)

    monkeypatch.setattr(stage.upstreams.schedule_source, "_fetch_one", fetch_or_fail)

    assert stage.reconcile() == {"passed over": 1}


def test_what_cannot_be_mended_is_the_problem(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names the schedules, and is remembered like any other."""
    stage.harm.delete_document()
    rebuild = stage.pipeline.publisher.rebuild_from_sources

    def rebuild_in_vain(keys: Sequence[ScheduleKey], cause: Cause) -> None:
        rebuild(keys, cause)
        stage.harm.delete_document()

    monkeypatch.setattr(stage.pipeline.publisher, "rebuild_from_sources", rebuild_in_vain)

    report = stage.pipeline.reconciler.reconcile()

    assert report.counts["not mended"] == 1
    assert report.problem == f"1 schedules still differ from their sources after they were rebuilt: {_KEY}"
    assert stage.store.passes.all()[PassName.RECONCILIATION].latest.problem == report.problem


def test_what_could_not_be_built_is_still_being_mended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody will try again, so it is neither mended nor given up."""
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


def test_a_store_that_does_not_answer_is_the_problem(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass ends there, and is remembered as one that failed."""
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


def test_a_pass_tells_how_far_it_is(stage: Stage) -> None:
    """A line for each batch, and one for what was found."""
    said: list[str] = []

    stage.pipeline.reconciler.reconcile(EVERYTHING, said.append)

    assert said == [
        "2 of 2 schedules compared, 0 suspected to differ",
        "0 of 2 schedules differ from their sources",
    ]


def test_shares_have_every_schedule_once() -> None:
    """Whatever the number of shares; and no share has nearly all of them."""
    keys = [ScheduleKey(Sid(f"s{n}"), date(2026, 3, day)) for n in range(40) for day in range(1, 29)]

    shares = [[key for key in keys if Share(number, 24).has(key)] for number in range(1, 25)]

    assert sorted(key for share in shares for key in share) == sorted(keys)
    assert max(map(len, shares)) < 2 * len(keys) / 24


def test_a_share_looks_at_its_own(stage: Stage) -> None:
    """What is damaged elsewhere is found by another share."""
    stage.harm.delete_document()

    found = [stage.pipeline.reconciler.reconcile(Share(n, 5)).counts["differed"] for n in range(1, 6)]

    assert sorted(found) == [0, 0, 0, 0, 1]


def test_a_document_is_checked_against_its_own_hash() -> None:
    """Without building anything: envelope, content and number have to go together."""
    content = b"[]"
    etag = hash_content(content)
    good = render_document(_KEY, Publication(3, FakeClock()(), etag), content)

    assert is_document_right(good, etag, 3)
    assert is_document_right(None, "", 3)
    assert not is_document_right(good, etag, 4)
    assert not is_document_right(good, "", 3)
    assert not is_document_right(None, etag, 3)
    assert not is_document_right(b"", etag, 3)
    assert not is_document_right(good.replace(b"[]", b"[ ]"), etag, 3)
