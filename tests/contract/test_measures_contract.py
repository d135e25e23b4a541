"""Measurements in the store, on fakes and Redis alike: durations, polls of queues, the age of pending work."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from builders import a_change

from schedules_pipeline.composition import Store
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.health.growth import SAMPLES_KEPT, MemorySample
from schedules_pipeline.health.ports import QueueName, QueuePolls
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.publishing.ports import rejections
from schedules_pipeline.publishing.ports.counters import DURATION_BOUNDS, Counter, Timer
from schedules_pipeline.publishing.ports.rejections import RejectedKind, Rejection, RejectionSummary
from schedules_pipeline.publishing.ports.work import Failure, Mark
from schedules_pipeline.store import rejections as redis_rejections

PassTime = Callable[[timedelta], None]

_NOW = datetime(2026, 3, 28, 12, 0, 0, 123456, tzinfo=UTC)
_LEASE = timedelta(seconds=120)
_A, _B, _C = (ScheduleKey.parse(f"{sid}/2026-03-28") for sid in ("alder", "birch", "cedar"))


def _mark(store: Store, key: ScheduleKey, origin: Origin, seconds_ago: float) -> None:
    cause = Cause(f"event of {key}", origin, "p0000001", _NOW - timedelta(seconds=seconds_ago))
    store.work.mark([Mark(key, _NOW, cause)])


def test_durations_are_counted_by_bound(store: Store) -> None:
    """Each counts under the first bound that it does not exceed, or after the last bound."""
    store.counters.add({}, {Timer.BATCH: [0.0, 0.05, 0.06], Timer.SCHEDULE_INTAKE: [4000.5]})

    durations = store.counters.durations()

    assert durations.keys() == {Timer.BATCH, Timer.SCHEDULE_INTAKE}
    assert durations[Timer.BATCH].counts == (2, 1, *[0] * (len(DURATION_BOUNDS) - 1))
    assert durations[Timer.SCHEDULE_INTAKE].counts == (*[0] * len(DURATION_BOUNDS), 1)
    assert durations[Timer.BATCH].seconds == pytest.approx(0.11)
    assert durations[Timer.SCHEDULE_INTAKE].seconds == pytest.approx(4000.5)


def test_durations_add_up_beside_counters(store: Store) -> None:
    """A later call adds to the totals, and a timer without durations is not listed."""
    store.counters.add({Counter.BATCHES_FAILED: 1}, {Timer.BATCH: [1.0]})
    store.counters.add({Counter.BATCHES_FAILED: 2}, {Timer.BATCH: [2.0], Timer.CATALOGUE_INTAKE: []})

    durations = store.counters.durations()

    assert store.counters.all() == {Counter.BATCHES_FAILED: 3}
    assert durations.keys() == {Timer.BATCH}
    assert (sum(durations[Timer.BATCH].counts), durations[Timer.BATCH].seconds) == (2, 3.0)


def test_an_empty_store_has_no_measurements(store: Store) -> None:
    """An empty store has no durations, rejections, schedules or pending work."""
    assert store.counters.durations() == {}
    assert store.rejections.summary(5) == RejectionSummary(dict.fromkeys(RejectedKind, 0), {})
    assert store.feed.count_schedules() == 0
    assert store.work.pending_since() == {}
    assert store.queue_polls.all() == {queue: QueuePolls() for queue in QueueName}


def test_two_writers_lose_no_count(store: Store) -> None:
    """Two threads that add at the same time lose no count."""

    def add_often() -> None:
        for _ in range(50):
            store.counters.add({Counter.SCHEDULES_PUBLISHED: 2}, {Timer.BATCH: [0.5, 1.5]})

    _at_once(add_often, add_often)

    assert store.counters.all() == {Counter.SCHEDULES_PUBLISHED: 200}
    batch = store.counters.durations()[Timer.BATCH]
    assert (sum(batch.counts), batch.seconds) == (200, 200.0)


def test_polls_are_recorded_by_queue(store: Store) -> None:
    """An empty poll and one with messages are recorded separately, each the latest."""
    queue, sent_at = QueueName.SCHEDULE_EVENTS, _NOW - timedelta(seconds=3)

    store.queue_polls.record_poll(queue, _NOW, None)
    store.queue_polls.record_poll(queue, _NOW + timedelta(seconds=10), sent_at)

    notes = store.queue_polls.all()
    assert notes[queue] == QueuePolls(_NOW + timedelta(seconds=10), _NOW, sent_at)
    assert notes[QueueName.CATALOGUE_EVENTS] == QueuePolls()


def test_a_receiver_is_known_until_its_time_is_over(store: Store, pass_time: PassTime) -> None:
    """Each queue has its own, which may also end early."""
    polls = store.queue_polls
    polls.announce_receiver(QueueName.SCHEDULE_EVENTS, 60)
    polls.announce_receiver(QueueName.CATALOGUE_EVENTS, 60)
    polls.withdraw_receiver(QueueName.CATALOGUE_EVENTS)
    at_first = [polls.has_receiver(queue) for queue in QueueName]
    pass_time(timedelta(seconds=61))

    assert at_first == [True, False]
    assert not polls.has_receiver(QueueName.SCHEDULE_EVENTS)


def test_an_empty_poll_replaces_the_one_before(store: Store) -> None:
    """The record of the latest poll with messages stays."""
    queue, later = QueueName.CATALOGUE_EVENTS, _NOW + timedelta(minutes=1)
    store.queue_polls.record_poll(queue, _NOW, _NOW)
    store.queue_polls.record_poll(queue, _NOW, None)

    store.queue_polls.record_poll(queue, later, None)

    assert store.queue_polls.all()[queue] == QueuePolls(later, later, _NOW)


def test_pending_is_as_old_as_its_oldest_notification(store: Store) -> None:
    """For each origin the oldest notification counts, of pending schedules and those in progress."""
    _mark(store, _A, Origin.CATALOGUE, 30)
    store.work.claim(1, _NOW, _LEASE)
    _mark(store, _B, Origin.CATALOGUE, 20)
    _mark(store, _B, Origin.SCHEDULE, 50)
    _mark(store, _C, Origin.SCHEDULE, 40)

    since = store.work.pending_since()

    assert since == {
        Origin.CATALOGUE: _NOW - timedelta(seconds=30),
        Origin.SCHEDULE: _NOW - timedelta(seconds=50),
    }


def test_a_wait_for_a_retry_counts_as_pending(store: Store) -> None:
    """A failed build has not answered the notification."""
    _mark(store, _A, Origin.SCHEDULE, 30)
    claim = store.work.claim(1, _NOW, _LEASE)
    assert claim is not None

    store.work.postpone(claim, {_A: Failure("it broke", _NOW + timedelta(minutes=1))}, counts=True)

    assert store.work.pending_since() == {Origin.SCHEDULE: _NOW - timedelta(seconds=30)}


def test_built_and_quarantined_schedules_are_not_pending(store: Store) -> None:
    """No further build answers their notifications."""
    for key in (_A, _B):
        _mark(store, key, Origin.SCHEDULE, 30)
    claim = store.work.claim(2, _NOW, _LEASE)
    assert claim is not None

    store.work.release(claim, [_A])
    store.work.postpone(claim, {_B: Failure("it broke", None)}, counts=True)

    assert store.work.pending_since() == {}


def test_an_exact_claim_is_pending_for_its_cause(store: Store) -> None:
    """It counts under the origin of the request, and is as old as the request."""
    _mark(store, _A, Origin.SCHEDULE, 30)
    store.work.claim_exactly([_B], Cause("run", Origin.OPERATOR, str(_B), _NOW), _NOW, _LEASE)

    since = store.work.pending_since()

    assert since == {Origin.SCHEDULE: _NOW - timedelta(seconds=30), Origin.OPERATOR: _NOW}


def test_verdicts_are_counted_by_service(store: Store) -> None:
    """Every schedule counts with its latest verdict; an empty store has none."""
    before = store.comparisons.tally()
    next_day = ScheduleKey.parse("alder/2026-03-29")
    store.comparisons.keep({_A: Comparison(1, Verdict.DIFFERS, "x"), _B: Comparison(1, Verdict.DIFFERS, "x")})
    store.comparisons.keep(
        {_A: Comparison(2, Verdict.MATCHES, "y"), next_day: Comparison(1, Verdict.MATCHES, "y")}
    )

    tally = store.comparisons.tally()

    assert before == {}
    assert tally == {(_A.sid, Verdict.MATCHES): 2, (_B.sid, Verdict.DIFFERS): 1}


def test_rejections_are_summarised_by_kind(store: Store) -> None:
    """Two rejections of one subject count once. The examples are few: schedules first, then items, the latest first."""
    rejection = Rejection("torn", _NOW, "d", "", "")
    later = replace(rejection, refused_at=_NOW + timedelta(seconds=1))
    store.rejections.keep({str(_A): rejection, str(_B): later, "p0000001": later, "message-1": later})
    store.rejections.keep({str(_A): rejection})

    summary = store.rejections.summary(3)

    assert summary.counts == {RejectedKind.SCHEDULE: 2, RejectedKind.ITEM: 1, RejectedKind.MESSAGE: 1}
    assert list(summary.latest.items()) == [(str(_B), later), (str(_A), rejection), ("p0000001", later)]


def test_a_flood_of_rejections_evicts_the_oldest_messages_first_and_counts_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items follow when no message is left; the rejections of schedules stay, and each eviction is counted."""
    for module in (rejections, redis_rejections):
        monkeypatch.setattr(module, "MOST_REJECTIONS", 3)
    at = [Rejection("torn", _NOW + timedelta(seconds=n), "d", "", "") for n in range(5)]
    store.rejections.keep({str(_A): at[0], "p0000001": at[0], "message-1": at[1], "message-2": at[2]})
    store.rejections.keep({"message-3": at[3]})
    after_messages = set(store.rejections.times())
    store.rejections.keep({f"p000000{n}": at[4] for n in range(2, 5)})

    left = set(store.rejections.all())

    assert after_messages == {str(_A), "p0000001", "message-2", "message-3"}
    assert left == {str(_A), "p0000002", "p0000003", "p0000004"}
    evicted = store.counters.all()
    assert evicted[Counter.REJECTED_MESSAGES_EVICTED] == 3
    assert evicted[Counter.REJECTED_ITEMS_EVICTED] == 1


def test_the_latest_samples_of_memory_are_kept(store: Store) -> None:
    """A day of them, latest first."""
    samples = [MemorySample(_NOW + timedelta(minutes=15 * n), n, 1_000) for n in range(SAMPLES_KEPT + 3)]
    for sample in samples:
        store.memory_history.add(sample)

    assert store.memory_history.all() == samples[:2:-1]


def test_known_schedules_are_counted_once(store: Store) -> None:
    """A schedule with many versions counts once."""
    rows = [(key, seq, render_row(_change(key, seq))) for key, seq in ((_A, 1), (_A, 2), (_B, 1))]
    store.feed.append(rows)

    assert store.feed.count_schedules() == 2


def _change(key: ScheduleKey, seq: int) -> Change:
    return a_change(key, seq, published_at=_NOW)


def _at_once(*actions: Callable[[], None]) -> None:
    threads = [Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
