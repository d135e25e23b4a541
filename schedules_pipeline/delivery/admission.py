"""Admission of requests: the partner of a key, its limits, and its usage.

Belongs here: checks of every request, in the memory of one process, without waiting. Does not belong here: HTTP
(``routes.gate``), and the exchange of partners and usage with the store
(:mod:`~schedules_pipeline.delivery.partner_upkeep`).

Thread-safe. Each process limits the rate separately; the limit of a day uses the counts of all processes, which are
some seconds old (ADR 20).
"""

import hmac
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from threading import Lock
from typing import Final, NamedTuple

from schedules_pipeline.delivery.problems import NO_KEY, TOO_MANY_REQUESTS, UNAVAILABLE, Problem, ProblemKind
from schedules_pipeline.partners.partner import ApiKey, Partner, key_digest, key_id
from schedules_pipeline.partners.ports import NOBODY, UsageCounts, UsageKind, UsageLine, requests_used
from schedules_pipeline.partners.sign_in import GuideSession

CHALLENGE: Final = "Bearer"
OTHER_ROUTE: Final = "(other)"

_MINUTE, _DAY = 60.0, 86_400
_LONGEST_KEY = 100
_MOST_ROUTES = 200
_POLICIES_REMEMBERED = 256
_TRY_AGAIN_SECONDS = 5
_KEPT_OF: Final = 10
_NO_DIGEST = "0" * 64
_ONE = 1 - 1e-6
"""One request, less the rounding error of floating-point numbers."""


@dataclass(slots=True)
class _Meter:
    """One partner's token bucket and counts. ``left``: tokens of the minute as of ``at`` (seconds since 1970),
    negative after expensive work. ``kept``: tokens for players, when there are no others. ``used``: requests of ``day``
    (days since 1970), by all processes as far as known.
    """

    left: float = math.inf
    kept: float = math.inf
    at: float = 0.0
    day: int = 0
    used: int = 0
    waiting: int = 0

    def bring_up_to(self, at: float, per_minute: int) -> None:
        """Refill the bucket for the time that has passed, and reset the count on a new day. A clock that was put back
        neither adds nor removes requests.
        """
        if at == self.at:
            return
        minutes, kept = max(0.0, at - self.at) / _MINUTE, max(1.0, per_minute / _KEPT_OF)
        self.left = min(per_minute, self.left + minutes * per_minute)
        self.kept, self.at = min(kept, self.kept + minutes * kept), at
        if (day := int(at) // _DAY) != self.day:
            self.day, self.used = day, 0


_Answered = tuple[str, str, int, str]
"""Partner, route, status, and the name of the problem, "" for other answers."""


@dataclass(slots=True)
class _Amount:
    answers: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    partner: Partner
    key: ApiKey


class PresentedKey(NamedTuple):
    """What has to fit of a key that a request sends, without the secret. ``id``: "" for a text that is no key."""

    id: str
    digest: str


def presented(key_text: str) -> PresentedKey:
    text = key_text[:_LONGEST_KEY]
    return PresentedKey(key_id(text) or "", key_digest(text))


class Admission:
    """The partners as last read from the store, and the meters of this process."""

    def __init__(self, most_waiting: int = 2_000) -> None:
        """``most_waiting``: how many requests of all partners together may wait for changes at one time."""
        self._most_waiting = most_waiting
        self._entries: Mapping[str, _Entry] | None = None
        self._partners: Mapping[str, Partner] = {}
        self._meters: dict[str, _Meter] = {}
        self._waiting = 0
        self._answers: dict[_Answered, _Amount] = defaultdict(_Amount)
        self._deprecated: Counter[UsageLine] = Counter()
        self._returned: dict[date, dict[UsageLine, int]] = {}
        self._routes: set[str] = set()
        self._lock = Lock()

    # Identity.

    @property
    def has_partners(self) -> bool:
        return bool(self._entries)

    def refresh(self, partners: Sequence[Partner], used_today: Mapping[str, int], now: datetime) -> None:
        """Replace all partners. ``used_today``: requests of this day in UTC by partner's name, as stored
        (:func:`~schedules_pipeline.partners.ports.requests_used`). Keys that are missing stop working at once.
        """
        day = int(now.timestamp()) // _DAY
        with self._lock:
            not_stored = self._not_stored(now.astimezone(UTC).date())
            meters = {partner.name: self._meters.get(partner.name, _Meter()) for partner in partners}
            for name, meter in meters.items():
                meter.day, meter.used = day, used_today.get(name, 0) + not_stored.get(name, 0)
            self._meters = meters
            self._partners = {partner.name: partner for partner in partners}
            self._entries = {key.id: _Entry(partner, key) for partner in partners for key in partner.keys}

    def identify(self, key_text: str | None, now: datetime) -> Partner:
        """The partner of a key, without counting a request. Streams call it to check that their key is still valid.

        Raises :class:`Problem`: ``NO_KEY`` for a missing, unknown, revoked or expired key, without telling them
        apart; ``UNAVAILABLE`` before partners were first read.
        """
        self._require_partners()
        if not key_text:
            raise _unknown("Send your API key as `Authorization: Bearer sk_…`.")
        return self.identify_presented(presented(key_text), now)

    def identify_presented(self, key: PresentedKey, now: datetime) -> Partner:
        """As :meth:`identify`, for a key whose digest is known already."""
        entry = self._require_partners().get(key.id)
        # Known and unknown ids take the same work, so that the response time does not reveal which ids exist.
        fits = hmac.compare_digest(key.digest, entry.key.digest if entry else _NO_DIGEST)
        if entry is None or not fits or not entry.key.is_valid(now):
            raise _unknown("This API key is unknown, revoked or expired: ask the operators for a new one.")
        return entry.partner

    def identify_address(self, access: str, now: datetime) -> Partner:
        """The partner of a path: a public partner by its name, every other by a key."""
        self._require_partners()
        partner = self._partners.get(access)
        return partner if partner is not None and partner.is_public else self.identify(access, now)

    def partner_of(self, session: GuideSession | None, now: datetime) -> Partner:
        """The partner of a session of the guide, which ends with its key. Raises :class:`Problem` as :meth:`identify`
        does.
        """
        self._require_partners()
        partner = self._partners.get(session.partner) if session and now < session.expires_at else None
        valid = partner.valid_keys(now) if partner else ()
        if session and partner and (not session.key_id or session.key_id in {key.id for key in valid}):
            return partner
        raise _unknown("The session has ended: sign in again.")

    def _require_partners(self) -> Mapping[str, _Entry]:
        if self._entries is None:
            raise _try_again(
                UNAVAILABLE,
                "The service is starting and has not read its partners yet: try again in a few seconds.",
            )
        return self._entries

    # Limits.

    def count_request(self, partner: Partner, now: datetime, *, is_of_player: bool = False) -> None:
        """Count one request. Raises ``TOO_MANY_REQUESTS`` beyond a limit, and does not count that request.

        ``is_of_player``: a player that is rejected shows an empty guide for hours, so a tenth of each limit is kept for
        players, for when others of the partner have used it up. Not while the partner owes a minute's tokens or more:
        what players ask for is charged too, and would keep the others waiting without an end.
        """
        with self._lock:
            self._take(partner, self._meters.get(partner.name) or _Meter(), now, is_of_player=is_of_player)

    def count_answered(
        self, partner: Partner, now: datetime, route: str, status: int, size: int
    ) -> dict[str, str]:
        """Count a request and its answer in one step, as :meth:`count_request` and :meth:`count_response` do. Returns
        what :meth:`fields` does. Raises ``TOO_MANY_REQUESTS`` beyond a limit, and then counts neither.
        """
        with self._lock:
            meter = self._meters.get(partner.name) or _Meter()
            self._take(partner, meter, now)
            self._add(partner.name, self._known(route), status, size)
            return _fields(partner, meter)

    @staticmethod
    def _take(partner: Partner, meter: _Meter, now: datetime, *, is_of_player: bool = False) -> None:
        minute, day, at = partner.requests_per_minute, partner.requests_per_day, now.timestamp()
        meter.bring_up_to(at, minute)
        is_kept = is_of_player and -minute < meter.left < _ONE <= meter.kept
        if meter.left < _ONE and not is_kept:
            raise _over(
                "minute",
                f"{minute} requests a minute, and expensive ones count as several",
                (1 - meter.left) * _MINUTE / minute,
                partner,
                meter,
            )
        if meter.used >= day + (day // _KEPT_OF if is_of_player else 0):
            raise _over("day", f"{day} requests a day", _DAY - at % _DAY, partner, meter)
        meter.left, meter.kept = meter.left - (not is_kept), meter.kept - is_kept
        meter.used += 1

    def charge(self, partner: Partner, tokens: float) -> None:
        """Take the tokens that the work for a request costs, beyond the one that every request costs. The minute's
        tokens may become negative: the partner then waits until they are positive again.
        """
        with self._lock:
            meter = self._meters.get(partner.name)
            if meter is not None:
                meter.left -= tokens

    def seconds_to_spare(self, partner: Partner, now: datetime) -> float:
        """How long until half of the minute's tokens are there: long work takes only the others, so that the partner's
        requests are not rejected meanwhile.
        """
        minute = partner.requests_per_minute
        with self._lock:
            meter = self._meters.get(partner.name) or _Meter()
            meter.bring_up_to(now.timestamp(), minute)
            return max(0.0, (minute / 2 - meter.left) * _MINUTE / minute)

    def fields(self, partner: Partner, now: datetime) -> dict[str, str]:
        """The header fields ``RateLimit-Policy`` and ``RateLimit`` of an answer, by
        draft-ietf-httpapi-ratelimit-headers-10.
        """
        with self._lock:
            meter = self._meters.get(partner.name) or _Meter()
            meter.bring_up_to(now.timestamp(), partner.requests_per_minute)
            return _fields(partner, meter)

    def limits(self, partner: Partner, now: datetime) -> dict[str, dict[str, int]]:
        """By policy the partner's limit and what is left of it, as :meth:`fields` and :meth:`waiting` count it."""
        with self._lock:
            meter = self._meters.get(partner.name) or _Meter()
            meter.bring_up_to(now.timestamp(), partner.requests_per_minute)
            left, left_today = _left(partner, meter)
            waiting = partner.waiting_at_once
            return {
                "minute": {"limit": partner.requests_per_minute, "left": left},
                "day": {"limit": partner.requests_per_day, "left": left_today},
                "waiting": {"limit": waiting, "left": max(0, waiting - meter.waiting)},
            }

    @contextmanager
    def waiting(self, partner: Partner) -> Iterator[None]:
        """Count a long poll or a stream as waiting for as long as the context lasts.

        Raises ``TOO_MANY_REQUESTS`` beyond the partner's own limit, ``UNAVAILABLE`` beyond that of this process.
        """
        meter = self._begin_to_wait(partner)
        try:
            yield
        finally:
            with self._lock:
                meter.waiting -= 1
                self._waiting -= 1

    def _begin_to_wait(self, partner: Partner) -> _Meter:
        with self._lock:
            meter = self._meters.get(partner.name) or _Meter()
            if meter.waiting >= partner.waiting_at_once:
                detail = f"{meter.waiting} of your requests already wait for changes: end one, or poll without `wait`."
                raise _try_again(TOO_MANY_REQUESTS, detail, {"violated-policies": ["waiting"]})
            if self._waiting >= self._most_waiting:
                raise _try_again(
                    UNAVAILABLE, "Too many requests wait for changes in this process: poll without `wait`."
                )
            meter.waiting += 1
            self._waiting += 1
            return meter

    # Usage.

    def count_response(
        self,
        partner: str,
        route: str,
        status: int,
        size: int,
        problem: str = "",
        deprecated: Sequence[str] = (),
    ) -> None:
        """Count an answer. ``partner``: its name, "" without a valid key. ``route``: the route's template, never the
        requested path. ``size``: bytes of the body. ``problem``: the kind's name, "" for other answers.
        ``deprecated``: the parameters that were used although they are, "" for the route.
        """
        name = partner or NOBODY
        with self._lock:
            known = self._known(route)
            self._add(name, known, status, size, problem)
            for parameter in deprecated:
                self._deprecated[UsageLine(name, UsageKind.DEPRECATED, known, parameter)] += 1

    def _add(self, name: str, route: str, status: int, size: int, problem: str = "") -> None:
        amount = self._answers[name, route, status, problem]
        amount.answers += 1
        amount.bytes += size

    def collect_usage(self, today: date) -> dict[date, UsageCounts]:
        """Hand over the counts since the last call, as counts of ``today`` (UTC), and returned ones under their own
        day. The caller must store them or give them back.
        """
        with self._lock:
            taken, self._returned = self._returned, {}
            counts = _usage(self._answers)
            counts.update(self._deprecated)
            self._answers, self._deprecated = defaultdict(_Amount), Counter()
        if counts:
            _add_all(taken.setdefault(today, {}), counts)
        return dict(taken)

    def return_usage(self, day: date, counts: UsageCounts) -> None:
        """Return counts that could not be stored; the next :meth:`collect_usage` includes them."""
        with self._lock:
            _add_all(self._returned.setdefault(day, {}), counts)

    def _not_stored(self, today: date) -> dict[str, int]:
        used = Counter(requests_used(_usage(self._answers)))
        used.update(requests_used(self._returned.get(today, {})))
        return dict(used)

    def _known(self, route: str) -> str:
        """Routes beyond :data:`_MOST_ROUTES` count as one, because every distinct route takes memory in the store."""
        if route not in self._routes:
            if len(self._routes) >= _MOST_ROUTES or " " in route:
                return OTHER_ROUTE
            self._routes.add(route)
        return route


def _over(policy: str, limit: str, wait_seconds: float, partner: Partner, meter: _Meter) -> Problem:
    seconds = max(1, math.ceil(wait_seconds))
    return Problem(
        TOO_MANY_REQUESTS,
        f"The limit is {limit}: retry in {seconds} s.",
        {"violated-policies": [policy]},
        {"Retry-After": str(seconds), **_fields(partner, meter)},
    )


def _fields(partner: Partner, meter: _Meter) -> dict[str, str]:
    minute, day = partner.requests_per_minute, partner.requests_per_day
    left, left_today = _left(partner, meter)
    # Seconds until the bucket is full or, if it is empty, until the next request, as Retry-After says.
    until = math.ceil(((minute if left else 1) - meter.left) * _MINUTE / minute)
    return {
        "RateLimit-Policy": _policy(minute, day),
        "RateLimit": f'"minute";r={left};t={until}, "day";r={left_today};t={_DAY - int(meter.at) % _DAY}',
    }


def _left(partner: Partner, meter: _Meter) -> tuple[int, int]:
    """Tokens of the minute, and requests of the day."""
    return max(0, int(meter.left + 1 - _ONE)), max(0, partner.requests_per_day - meter.used)


@lru_cache(_POLICIES_REMEMBERED)
def _policy(minute: int, day: int) -> str:
    return f'"minute";q={minute};w=60, "day";q={day};w={_DAY}'


def _usage(answers: Mapping[_Answered, _Amount]) -> Counter[UsageLine]:
    counts: Counter[UsageLine] = Counter()
    for (partner, route, status, problem), amount in answers.items():
        counts[UsageLine(partner, UsageKind.REQUESTS, route, str(status))] += amount.answers
        counts[UsageLine(partner, UsageKind.BYTES)] += amount.bytes
        if problem:
            counts[UsageLine(partner, UsageKind.PROBLEMS, "", problem)] += amount.answers
    return counts


def _add_all(counts: dict[UsageLine, int], more: UsageCounts) -> None:
    for line, count in more.items():
        counts[line] = counts.get(line, 0) + count


def _unknown(detail: str) -> Problem:
    return Problem(NO_KEY, detail, headers={"WWW-Authenticate": CHALLENGE})


def _try_again(kind: ProblemKind, detail: str, members: Mapping[str, object] | None = None) -> Problem:
    return Problem(kind, detail, members or {}, {"Retry-After": str(_TRY_AGAIN_SECONDS)})
