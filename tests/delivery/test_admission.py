"""Admission of requests: keys, limits and usage counts, without a store."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.admission import Admission
from schedules_pipeline.delivery.problems import NO_KEY, TOO_MANY_REQUESTS, UNAVAILABLE, Problem
from schedules_pipeline.partners.partner import RANDOM_BYTES, IssuedKey, Partner, issue_key
from schedules_pipeline.partners.ports import NOBODY, UsageKind, UsageLine

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_ROUTE = "/v1/changes"


def _issued(number: int, expires_at: datetime | None = None) -> IssuedKey:
    return issue_key(bytes([number]) * RANDOM_BYTES, _NOW, expires_at)


_KEY = _issued(1)
_ACME = Partner(
    "acme", _NOW, requests_per_minute=3, requests_per_day=100, waiting_at_once=2, keys=(_KEY.key,)
)


def _knowing(*partners: Partner, used: int = 0, at: datetime = _NOW, most_waiting: int = 100) -> Admission:
    admission = Admission(most_waiting)
    admission.refresh(partners, {partner.name: used for partner in partners}, at)
    return admission


def _problem_of(attempt: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as caught:
        attempt()
    return caught.value


def _admit(admission: Admission, key: str | None, at: datetime) -> Partner:
    """As the gate does: a known key first, then its limits."""
    partner = admission.identify(key, at)
    admission.count_request(partner, at)
    return partner


def _admitted(admission: Admission, at: datetime, key: str = _KEY.text) -> bool:
    try:
        _admit(admission, key, at)
    except Problem as problem:
        if problem.kind is not TOO_MANY_REQUESTS:
            raise
        return False
    return True


# Who


def test_a_key_lets_its_partner_in() -> None:
    """The answer is the partner whose key it is, among others."""
    other = Partner("birch", _NOW, keys=(_issued(2).key,))

    admission = _knowing(_ACME, other)

    assert _admit(admission, _KEY.text, _NOW) == _ACME
    assert _admit(admission, _issued(2).text, _NOW) == other


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        "sk_" + "a" * 8 + "_" + "b" * 40,
        _issued(9).text,
        _KEY.text[:-1] + ("a" if _KEY.text[-1] != "a" else "b"),
        _KEY.text + "a",
        _KEY.text.upper(),
        _KEY.text + " " * 1_000_000,
        "\udcff",
    ],
    ids=lambda text: repr(text)[:30],
)
def test_what_is_no_key_of_ours_lets_nobody_in(text: str | None) -> None:
    """A text that is not a key is rejected with a challenge; the answer does not repeat the text."""
    problem = _problem_of(lambda: _admit(_knowing(_ACME), text, _NOW))

    assert problem.kind is NO_KEY
    assert problem.headers == {"WWW-Authenticate": "Bearer"}
    assert not text or text not in str(problem.document())


def test_a_key_is_rejected_from_the_instant_at_which_it_expires() -> None:
    """That needs no store: the directory knows when."""
    expiring = _issued(3, _NOW + _SECOND)
    admission = _knowing(replace(_ACME, keys=(expiring.key,)))

    assert _admit(admission, expiring.text, _NOW).name == "acme"
    assert _problem_of(lambda: _admit(admission, expiring.text, _NOW + _SECOND)).kind is NO_KEY


def test_a_revoked_key_is_rejected_from_the_next_refresh_on() -> None:
    """The other keys of the partner go on."""
    second = _issued(2)
    admission = _knowing(replace(_ACME, keys=(_KEY.key, second.key)))

    admission.refresh([replace(_ACME, keys=(second.key,))], {}, _NOW)

    assert _problem_of(lambda: _admit(admission, _KEY.text, _NOW)).kind is NO_KEY
    assert _problem_of(lambda: admission.identify(_KEY.text, _NOW)).kind is NO_KEY
    assert admission.identify(second.text, _NOW).name == "acme"


def test_before_partners_were_read_nobody_is_called_unknown() -> None:
    """A process that has just started next to a store that is gone says so, and when to try again."""
    problem = _problem_of(lambda: _admit(Admission(), _KEY.text, _NOW))

    assert problem.kind is UNAVAILABLE
    assert problem.headers == {"Retry-After": "5"}


def test_unknown_keys_leave_nothing_behind() -> None:
    """However many keys are tried, the memory of them is one line of usage."""
    admission = _knowing(_ACME)

    for number in range(200):
        with pytest.raises(Problem):
            _admit(admission, f"sk_{number:08}_" + "b" * 40, _NOW)
        admission.count_response("", _ROUTE, 401, 10)

    assert dict(admission.collect_usage(_NOW.date())[_NOW.date()]) == {
        UsageLine(NOBODY, UsageKind.REQUESTS, _ROUTE, "401"): 200,
        UsageLine(NOBODY, UsageKind.BYTES): 2_000,
    }


# How much


def test_a_minutes_worth_may_come_at_once() -> None:
    """Beyond it a partner is told when the next is answered, and by which policy."""
    admission = _knowing(_ACME)

    admitted = [_admitted(admission, _NOW) for _ in range(4)]
    problem = _problem_of(lambda: _admit(admission, _KEY.text, _NOW))

    assert admitted == [True, True, True, False]
    assert problem.headers == {
        "Retry-After": "20",
        "RateLimit-Policy": '"minute";q=3;w=60, "day";q=100;w=86400',
        "RateLimit": '"minute";r=0;t=20, "day";r=97;t=43200',
    }
    assert problem.members == {"violated-policies": ["minute"]}


def test_who_waits_as_long_as_told_is_let_in() -> None:
    """The time of the refusal is enough, and a refusal costs nothing."""
    admission = _knowing(_ACME)
    for _ in range(20):
        _admitted(admission, _NOW)

    assert not _admitted(admission, _NOW + 19 * _SECOND)
    assert _admitted(admission, _NOW + 20 * _SECOND)
    assert not _admitted(admission, _NOW + 20 * _SECOND)


def test_long_work_leaves_half_of_the_tokens() -> None:
    """It waits for as long as told, and more tokens come meanwhile; before any request there is nothing to wait for."""
    partner = replace(_ACME, requests_per_minute=60)
    admission = _knowing(partner)
    assert admission.seconds_to_spare(partner, _NOW) == 0

    _admit(admission, _KEY.text, _NOW)
    admission.charge(partner, 29)
    assert admission.seconds_to_spare(partner, _NOW) == 0
    admission.charge(partner, 4)
    assert admission.seconds_to_spare(partner, _NOW) == 4
    assert admission.seconds_to_spare(partner, _NOW + 4 * _SECOND) == 0


def test_all_keys_of_a_partner_share_its_limits() -> None:
    """Another key is not another minute's worth."""
    second = _issued(2)
    admission = _knowing(replace(_ACME, keys=(_KEY.key, second.key)))
    for _ in range(3):
        _admit(admission, _KEY.text, _NOW)

    assert not _admitted(admission, _NOW, second.text)


def test_threads_share_the_limits() -> None:
    """Concurrent threads admit exactly one minute's worth, also during a refresh."""
    acme = replace(_ACME, requests_per_minute=500, requests_per_day=100_000)
    admission = _knowing(acme)

    def ask(number: int) -> bool:
        if number % 100 == 0:
            admission.refresh([acme], {}, _NOW)
        return _admitted(admission, _NOW)

    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(ask, range(2_000)))

    assert admitted.count(True) == 500


def test_a_refresh_forgives_nothing() -> None:
    """Requests of this minute still count after the limit was raised."""
    admission = _knowing(_ACME)
    for _ in range(3):
        _admit(admission, _KEY.text, _NOW)

    admission.refresh([replace(_ACME, requests_per_minute=60)], {}, _NOW)

    assert not _admitted(admission, _NOW)
    assert _admitted(admission, _NOW + _SECOND)


_STEPS = st.lists(st.integers(min_value=0, max_value=30_000_000), min_size=1, max_size=60)


@given(st.integers(min_value=1, max_value=300), _STEPS)
def test_never_more_than_a_minutes_worth_and_the_rate(per_minute: int, steps: list[int]) -> None:
    """In any interval, at most the burst and the refill of that interval are admitted."""
    admission = _knowing(replace(_ACME, requests_per_minute=per_minute, requests_per_day=100_000))
    at, admitted = _NOW, []
    for microseconds in steps:
        at += timedelta(microseconds=microseconds)
        admitted += [at for _ in range(per_minute // 4 + 1) if _admitted(admission, at)]

    for first in range(0, len(admitted), 7):
        passed = (admitted[-1] - admitted[first]).total_seconds()
        assert len(admitted) - first <= per_minute + passed * per_minute / 60 + 1e-3


@given(st.integers(min_value=1, max_value=300), _STEPS)
def test_who_keeps_to_the_rate_is_never_rejected(per_minute: int, steps: list[int]) -> None:
    """A request at every refill is admitted, also with rejected requests between them."""
    admission = _knowing(replace(_ACME, requests_per_minute=per_minute, requests_per_day=100_000))
    every, at = timedelta(minutes=1) / per_minute + timedelta(microseconds=1), _NOW

    for microseconds in steps:
        at += every + timedelta(microseconds=microseconds)

        assert _admitted(admission, at)


@given(st.integers(min_value=1, max_value=300), _STEPS)
def test_a_partner_that_rests_recovers(per_minute: int, steps: list[int]) -> None:
    """After a minute without requests, the bucket is full."""
    admission = _knowing(replace(_ACME, requests_per_minute=per_minute, requests_per_day=100_000))
    at = _NOW
    for microseconds in steps:
        at += timedelta(microseconds=microseconds)
        _admitted(admission, at)

    rested = at + timedelta(minutes=1)

    assert [_admitted(admission, rested) for _ in range(per_minute + 1)].count(True) == per_minute


_JUMPS = st.lists(st.integers(min_value=-100_000, max_value=100_000), min_size=1, max_size=20)


@given(_JUMPS)
def test_a_clock_that_jumps_locks_nobody_out_and_opens_no_gate(jumps: list[int]) -> None:
    """After any jumps, no more were admitted than the clock's way forward allows, and a minute later one is."""
    admission = _knowing(replace(_ACME, requests_per_day=100_000))
    instants = [_NOW]
    for seconds in jumps:
        instants.append(instants[-1] + timedelta(seconds=seconds))
    forward = sum(max(0.0, (later - earlier).total_seconds()) for earlier, later in pairwise(instants))

    admitted = sum(_admitted(admission, at) for at in instants for _ in range(5))

    assert admitted <= 3 + forward * 3 / 60
    assert _admitted(admission, instants[-1] + timedelta(minutes=1))


# A day


def test_beyond_a_days_requests_nothing_is_answered_until_midnight() -> None:
    """The refusal says when the day in UTC is over, and then the partner is let in, without any refresh."""
    admission = _knowing(_ACME, used=99)
    _admit(admission, _KEY.text, _NOW)

    problem = _problem_of(lambda: _admit(admission, _KEY.text, _NOW))

    assert problem.members == {"violated-policies": ["day"]}
    assert problem.headers["Retry-After"] == str(12 * 3600)
    assert not _admitted(admission, _NOW + timedelta(hours=12) - _SECOND)
    assert _admitted(admission, _NOW + timedelta(hours=12))


def test_what_other_processes_have_counted_counts() -> None:
    """After a refresh, the day's count is the stored one plus the counts of this process that are not stored yet."""
    admission = _knowing(_ACME)
    admission.count_response("acme", _ROUTE, 200, 1)
    admission.count_response("acme", _ROUTE, 429, 1)

    admission.refresh([_ACME], {"acme": 98}, _NOW)

    assert [_admitted(admission, _NOW) for _ in range(2)] == [True, False]


def test_what_was_given_back_counts_for_its_day() -> None:
    """While the store is gone, what could not be stored is still no longer the partner's to use."""
    line = UsageLine("acme", UsageKind.REQUESTS, _ROUTE, "200")
    admission = _knowing(_ACME)
    admission.return_usage(_NOW.date(), {line: 100})
    admission.return_usage(_NOW.date() - timedelta(days=1), {line: 7})

    admission.refresh([_ACME], {}, _NOW)

    assert not _admitted(admission, _NOW)
    assert _admitted(admission, _NOW + timedelta(days=1))


def test_an_answer_tells_what_is_left() -> None:
    """The fields tell limits and remainders, and reading them costs no request."""
    admission = _knowing(_ACME, used=10)
    _admit(admission, _KEY.text, _NOW)

    fields = [admission.fields(_ACME, _NOW) for _ in range(2)]

    assert fields[0] == fields[1]
    assert fields[0] == {
        "RateLimit-Policy": '"minute";q=3;w=60, "day";q=100;w=86400',
        "RateLimit": '"minute";r=2;t=20, "day";r=89;t=43200',
    }


# Waiting


def test_so_many_of_a_partners_requests_may_wait() -> None:
    """One more is refused until one of them has ended."""
    admission = _knowing(_ACME)

    with ExitStack() as waiting:
        waiting.enter_context(admission.waiting(_ACME))
        with admission.waiting(_ACME):
            problem = _problem_of(lambda: waiting.enter_context(admission.waiting(_ACME)))
        waiting.enter_context(admission.waiting(_ACME))

    assert problem.kind is TOO_MANY_REQUESTS
    assert problem.members == {"violated-policies": ["waiting"]}
    assert "Retry-After" in problem.headers


def test_a_process_has_its_own_limit_of_waiting() -> None:
    """It is not the partner's fault, and is told so; one that ends by an error makes room too."""
    birch = replace(_ACME, name="birch", keys=(_issued(2).key,))
    admission = _knowing(_ACME, birch, most_waiting=1)

    with suppress(KeyError), admission.waiting(_ACME):
        problem = _problem_of(admission.waiting(birch).__enter__)
        raise KeyError

    assert problem.kind is UNAVAILABLE
    admission.waiting(birch).__enter__()


def test_a_refresh_does_not_forget_who_waits() -> None:
    """Requests wait for longer than a refresh is away."""
    admission = _knowing(_ACME)

    with admission.waiting(_ACME), admission.waiting(_ACME):
        admission.refresh([_ACME], {}, _NOW)
        problem = _problem_of(admission.waiting(_ACME).__enter__)

    assert problem.kind is TOO_MANY_REQUESTS
