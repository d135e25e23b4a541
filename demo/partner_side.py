"""The partner of the demonstration: who it is, what it subscribes to, and how one takes its place.

Belongs here: entering it, its subscriptions, and the lines that say what to try as it. Does not belong here: the
processes that serve it (``delivery_service.py``), and its receiver (``webhook_receiver.py``).
"""

import os
import secrets
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from shlex import quote

from demo.webhook_receiver import Received
from schedules_pipeline.composition import Store
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.partners.partner import RANDOM_BYTES, IssuedKey, Partner, issue_key
from schedules_pipeline.partners.ports import PartnerStore
from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin
from schedules_pipeline.push.subscription import Subscription, SubscriptionKind

NAME = "demonstration"
KEY_VARIABLE = "SCHEDULES_API_KEY"
_AS_IT = f'-H "Authorization: Bearer ${KEY_VARIABLE}"'


def enter_partner(book: PartnerStore, now: datetime) -> IssuedKey:
    """One who sees everything, and is served before partners are switched; answers with its key."""
    issued = issue_key(secrets.token_bytes(RANDOM_BYTES), now)
    partner = Partner(
        NAME, now, is_operator=True, is_preview=True, requests_per_minute=6_000, keys=(issued.key,)
    )
    if not book.create(partner):
        raise ConfigurationError(
            f"there is a partner {NAME} already, so this is no keyspace to try things in"
        )
    return issued


def subscribe(store: Store, kind: SubscriptionKind, target: str, clock: Clock) -> Subscription:
    """Have it told of everything that changes from now on."""
    formats = ("json",) if kind is SubscriptionKind.FILES else ()
    made = Subscription(f"{NAME}-{kind}", NAME, kind, target, clock(), formats)
    SubscriptionAdmin(store, clock).register(made)
    return made


def one_of_today(keys: Sequence[ScheduleKey], today: date) -> ScheduleKey | None:
    """The schedule that is shown to whoever tries: of today, else of the day nearest to it."""
    return min(keys, key=lambda key: (abs(key.date - today), key), default=None)


def first_steps(service: str, guide: str, environment: Path, example: ScheduleKey | None) -> list[str]:
    """What to look at and what to paste. ``service`` and ``guide`` are addresses; the latter holds the key."""
    taken_on = f". {quote(_shown(environment))};"
    steps = [("the guide", guide)]
    if example is not None:
        steps.append(("a schedule", f"{taken_on} curl {_AS_IT} {service}/v1/schedules/{example}"))
    steps.append(("the feed", f"{taken_on} curl -N {_AS_IT} {service}/v1/changes/stream"))
    return [f"{what:<12} {step}" for what, step in steps]


def describe_received(received: Sequence[Received]) -> str | None:
    """One line for what has come since the last one; None where nothing has."""
    if not received:
        return None
    last = received[-1]
    if not last.key:
        return f"{last.kind}, signature verified"
    more = f" and {len(received) - 1} more" if len(received) > 1 else ""
    after = f"{last.after.total_seconds():.2f} s after it was published"
    return f"{last.key} seq {last.seq}{more}, signature verified, {after}"


def _shown(path: Path) -> str:
    """As it can be typed from here; a shell looks for a name without a stroke elsewhere."""
    shown = os.path.relpath(path)
    shown = str(path) if shown.startswith("..") else shown
    return shown if "/" in shown else f"./{shown}"
