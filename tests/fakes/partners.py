"""Fakes of the partner and subscription stores."""

from collections import Counter
from datetime import date, datetime, timedelta
from threading import Lock

from fakes.conditions import Conditions, Fake, FakeClock, answered, step
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import USAGE_KEPT_DAYS, UsageCounts, UsageLine
from schedules_pipeline.partners.sign_in import GuideSession, SignInLink, surplus
from schedules_pipeline.push.ports import Lease
from schedules_pipeline.push.subscription import Progress, Standing, Subscription


class FakeSignInStore(Fake):
    """Implements :class:`SignInStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._sessions: dict[str, GuideSession] = {}
        self._links: dict[str, SignInLink] = {}

    @answered
    def sessions(self) -> dict[str, GuideSession]:
        return dict(self._sessions)

    @answered
    def session(self, digest: str) -> GuideSession | None:
        return self._sessions.get(digest)

    @answered
    @step
    def begin(self, digest: str, session: GuideSession, now: datetime) -> None:
        for old in surplus(self._sessions, session, now):
            del self._sessions[old]
        self._sessions[digest] = session

    @answered
    @step
    def end(self, digest: str) -> None:
        self._sessions.pop(digest, None)

    @answered
    @step
    def end_all(self, partner: str) -> int:
        before = len(self._sessions) + len(self._links)
        self._sessions = {digest: one for digest, one in self._sessions.items() if one.partner != partner}
        self._links = {digest: one for digest, one in self._links.items() if one.partner != partner}
        return before - len(self._sessions) - len(self._links)

    @answered
    @step
    def add_link(self, digest: str, link: SignInLink, now: datetime) -> None:
        for old in surplus(self._links, link, now):
            del self._links[old]
        self._links[digest] = link

    @answered
    def link(self, digest: str) -> SignInLink | None:
        return self._links.get(digest)

    @answered
    @step
    def take_link(self, digest: str) -> bool:
        return self._links.pop(digest, None) is not None


class FakeSubscriptionStore(Fake):
    """Implements :class:`SubscriptionStore`; also for several threads."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._standings: dict[str, Standing] = {}
        self._leases: dict[str, tuple[int, datetime]] = {}
        self._token = 0
        self._lock = Lock()

    @answered
    @step
    def create(self, subscription: Subscription, progress: Progress) -> bool:
        known = self._standings.setdefault(subscription.name, Standing(subscription, progress))
        return known.subscription == subscription

    @answered
    @step
    def remove(self, name: str) -> bool:
        self._leases.pop(name, None)
        return self._standings.pop(name, None) is not None

    @answered
    @step
    def all(self) -> list[Standing]:
        return [self._standings[name] for name in sorted(self._standings)]

    @answered
    @step
    def one(self, name: str) -> Standing | None:
        return self._standings.get(name)

    @answered
    @step
    def acquire(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        if self._is_held(name, now):
            return None
        return self._taken(name, now + lease_for)

    @answered
    @step
    def seize(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        return self._taken(name, now + lease_for)

    @answered
    @step
    def save(
        self, lease: Lease, progress: Progress, until: datetime, subscription: Subscription | None = None
    ) -> bool:
        with self._lock:
            if not self._is_latest(lease):
                return False
            known = self._standings[lease.name]
            self._standings[lease.name] = Standing(subscription or known.subscription, progress)
            self._leases[lease.name] = lease.token, until
            return True

    def _taken(self, name: str, until: datetime) -> Lease | None:
        with self._lock:
            if name not in self._standings:
                return None
            self._token += 1
            self._leases[name] = self._token, until
            return Lease(self._token, self._standings[name])

    def _is_held(self, name: str, now: datetime) -> bool:
        return name in self._leases and self._leases[name][1] > now

    def _is_latest(self, lease: Lease) -> bool:
        return lease.name in self._leases and self._leases[lease.name][0] == lease.token


class FakePartnerStore(Fake):
    """Implements :class:`PartnerStore`; every record reads back."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self._clock = clock
        self._partners: dict[str, Partner] = {}
        self._was_ever_used = False
        self._totals: Counter[UsageLine] = Counter()
        self._days: dict[date, tuple[datetime, Counter[UsageLine]]] = {}

    @answered
    @step
    def all(self) -> list[Partner]:
        return [partner for _, partner in sorted(self._partners.items())]

    def unreadable(self) -> list[str]:
        return []

    @answered
    @step
    def was_ever_used(self) -> bool:
        return self._was_ever_used

    @answered
    @step
    def one(self, name: str) -> Partner | None:
        return self._partners.get(name)

    @answered
    @step
    def create(self, partner: Partner) -> bool:
        self._was_ever_used = True
        return self._partners.setdefault(partner.name, partner) == partner

    @answered
    @step
    def change(self, before: Partner, after: Partner) -> bool:
        if self._partners.get(before.name) not in (before, after):
            return False
        self._partners[before.name] = after
        return True

    @answered
    def remove(self, name: str) -> bool:
        removed = self._remove_one(name)
        self._forget_totals(name)
        return removed

    @answered
    def add_usage(self, day: date, counts: UsageCounts) -> None:
        for line, count in counts.items():
            self._count_one(day, line, count)

    @answered
    @step
    def usage(self, day: date) -> dict[UsageLine, int]:
        expires_at, counts = self._days.get(day, (self._clock(), Counter[UsageLine]()))
        return dict(counts) if self._clock() < expires_at else {}

    @answered
    @step
    def usage_totals(self) -> dict[UsageLine, int]:
        return dict(self._totals)

    @step
    def _remove_one(self, name: str) -> bool:
        return self._partners.pop(name, None) is not None

    @step
    def _forget_totals(self, name: str) -> None:
        for line in [line for line in self._totals if line.partner == name]:
            del self._totals[line]

    @step
    def _count_one(self, day: date, line: UsageLine, count: int) -> None:
        expires_at = self._clock() + timedelta(days=USAGE_KEPT_DAYS)
        counts = self._days[day][1] if day in self._days else Counter[UsageLine]()
        counts[line] += count
        self._days[day] = expires_at, counts
        self._totals[line] += count
