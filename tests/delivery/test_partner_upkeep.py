"""Partners from a store into memory, and usage from memory into a store, which may be gone for a while."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import Conditions, FakeClock, FakePartnerStore

from schedules_pipeline.delivery.admission import Admission
from schedules_pipeline.delivery.partner_upkeep import exchange_usage
from schedules_pipeline.delivery.problems import NO_KEY, Problem
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.partners.ports import UsageKind, UsageLine, requests_used

_ROUTE = "/v1/schedules"
_REQUESTS = UsageLine("acme", UsageKind.REQUESTS, _ROUTE, "200")
_KEY = issue_key(b"k" * RANDOM_BYTES, FakeClock()())
_ACME = Partner("acme", FakeClock()(), requests_per_day=5, keys=(_KEY.key,))


class _Breakable(Conditions):
    """The store answers unless told at which step it is gone, and how often that still succeeds."""

    def __init__(self) -> None:
        self.fails_at = ""
        self.passes = 0

    def checkpoint(self, step: str, about: object = ()) -> None:
        if self.fails_at and step.startswith(self.fails_at):
            self.passes -= 1
            if self.passes < 0:
                raise ServiceError("gone")


class _Stage:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.conditions = _Breakable()
        self.book = FakePartnerStore(self.conditions, self.clock)
        self.book.create(_ACME)

    def process(self) -> "_Process":
        return _Process(self)


class _Process:
    """One of the processes that serve partners from the same store."""

    def __init__(self, stage: _Stage) -> None:
        self._stage = stage
        self.admission = Admission()
        self.keep_up()

    def keep_up(self) -> None:
        exchange_usage(self.admission, self._stage.book, self._stage.clock)

    def admit(self) -> None:
        now = self._stage.clock()
        self.admission.count_request(self.admission.identify(_KEY.text, now), now)

    def ask(self) -> bool:
        """Whether a request is answered; either way it is counted."""
        try:
            self.admit()
        except Problem as problem:
            self.admission.count_response("acme", _ROUTE, problem.kind.status, 0)
            return False
        self.admission.count_response("acme", _ROUTE, 200, 0)
        return True


@pytest.fixture
def stage() -> _Stage:
    return _Stage()


def test_a_round_stores_what_was_counted(stage: _Stage) -> None:
    """It is in the store once, however many rounds follow."""
    process = stage.process()
    process.ask()

    for _ in range(3):
        process.keep_up()

    assert stage.book.usage(stage.clock().date())[_REQUESTS] == 1


def test_a_limit_of_a_day_holds_over_all_processes(stage: _Stage) -> None:
    """What one process has answered, another does not once both have been round."""
    one, other = stage.process(), stage.process()
    answered = [one.ask() for _ in range(5)]
    one.keep_up()
    other.keep_up()

    assert answered == [True] * 5
    assert not other.ask()


def test_no_round_gives_a_request_back(stage: _Stage) -> None:
    """Rounds between requests change nothing of how many a day are answered, refused ones cost nothing."""
    process = stage.process()

    answered = []
    for _ in range(12):
        answered.append(process.ask())
        process.keep_up()

    assert answered == [True] * 5 + [False] * 7


def test_a_new_day_begins_with_all_of_its_requests(stage: _Stage) -> None:
    """The store's counts are read by day in UTC."""
    process = stage.process()
    for _ in range(5):
        process.ask()
    process.keep_up()
    stage.clock.advance(timedelta(days=1))

    process.keep_up()

    assert process.ask()


@pytest.mark.parametrize("fails_at", ["_count_one", "all", "usage"])
def test_without_a_store_everything_goes_on_by_what_was_read(stage: _Stage, fails_at: str) -> None:
    """During an outage partners are admitted and limits hold; usage is stored after it."""
    process = stage.process()
    process.ask()
    stage.conditions.fails_at = fails_at

    for _ in range(3):
        with pytest.raises(ServiceError):
            process.keep_up()
    answered = [process.ask() for _ in range(5)]
    stage.conditions.fails_at = ""
    process.keep_up()

    assert answered == [True] * 4 + [False]
    assert requests_used(stage.book.usage(stage.clock().date())) == {"acme": 5}


def test_a_store_that_was_emptied_locks_nobody_out(stage: _Stage) -> None:
    """Partners that were known are let in until the store knows them again; then it is obeyed."""
    process = stage.process()
    stage.book = FakePartnerStore(stage.conditions, stage.clock)

    with pytest.raises(ServiceError, match="lost"):
        process.keep_up()
    answered = process.ask()
    stage.book.create(replace(_ACME, keys=()))
    process.keep_up()

    assert answered
    assert not process.admission.has_partners


def test_the_last_partner_that_is_removed_is_rejected(stage: _Stage) -> None:
    """An empty book that was used is no lost one."""
    process = stage.process()
    stage.book.remove("acme")

    process.keep_up()

    assert not process.ask()


def test_a_lost_reply_counts_once_more(stage: _Stage) -> None:
    """Usage whose confirmation was lost is stored again, so one round may count twice."""
    process = stage.process()
    process.ask()
    stage.conditions.fails_at = "add_usage answers"

    with pytest.raises(ServiceError):
        process.keep_up()
    stage.conditions.fails_at = ""
    process.keep_up()

    assert stage.book.usage(stage.clock().date())[_REQUESTS] == 2


def test_what_was_stored_is_not_given_back(stage: _Stage) -> None:
    """Of several days, those before the one that could not be stored are in the store once."""
    process, today = stage.process(), stage.clock().date()
    process.admission.return_usage(today - timedelta(days=1), {_REQUESTS: 3})
    process.ask()
    stage.conditions.fails_at, stage.conditions.passes = "_count_one", 1

    with pytest.raises(ServiceError):
        process.keep_up()
    stage.conditions.fails_at = ""
    process.keep_up()

    assert stage.book.usage(today - timedelta(days=1)) == {_REQUESTS: 3}
    assert stage.book.usage(today)[_REQUESTS] == 1


@pytest.mark.parametrize("takes_writes", [True, False])
def test_a_revoked_key_ends_with_the_next_round(stage: _Stage, takes_writes: bool) -> None:
    """That is how long a revocation takes, also where the store takes no writes by then."""
    process = stage.process()
    stage.book.change(_ACME, _ACME.without_key(_KEY.key.id))
    stage.conditions.fails_at = "" if takes_writes else "_count_one"

    before = process.ask()
    with nullcontext() if takes_writes else pytest.raises(ServiceError):
        process.keep_up()
    with pytest.raises(Problem) as caught:
        process.admit()

    assert before
    assert caught.value.kind is NO_KEY
