"""The demonstration's partner: its record, its subscriptions, and the commands that a user can paste to act as it.

The processes that serve it are in ``delivery_service``, its receiver of webhooks is in ``webhook_receiver``.
"""

import os
import secrets
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from shlex import quote

from demo.webhook_receiver import Received
from schedules_pipeline.composition import Store
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.partners.partner import RANDOM_BYTES, IssuedKey, Partner, issue_key
from schedules_pipeline.partners.ports import PartnerStore
from schedules_pipeline.partners.sign_in import SignInLink, SignInStore, new_token, token_digest
from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin
from schedules_pipeline.push.subscription import Subscription, SubscriptionKind

NAME = "demonstration"
KEY_VARIABLE = "SCHEDULES_API_KEY"
_LINK_LASTS = timedelta(hours=1)
_AUTHORIZATION = f'-H "Authorization: Bearer ${KEY_VARIABLE}"'


def enter_partner(partners: PartnerStore, now: datetime) -> IssuedKey:
    """Create an operator that sees every service and is served before the switch. Returns its key.

    Raises ConfigurationError if the keyspace already has such a partner.
    """
    issued = issue_key(secrets.token_bytes(RANDOM_BYTES), now)
    partner = Partner(
        NAME, now, is_operator=True, is_preview=True, requests_per_minute=6_000, keys=(issued.key,)
    )
    if not partners.create(partner):
        raise ConfigurationError(
            f"there is a partner {NAME} already, so this keyspace is not the demonstration's"
        )
    return issued


def guide_address(service: str, sign_ins: SignInStore, now: datetime, partner: str = NAME) -> str:
    """An address that opens the guide signed in, once, within an hour, and without a question."""
    token = new_token()
    link = SignInLink(partner, now + _LINK_LASTS, asks=False)
    sign_ins.add_link(token_digest(token) or "", link, now)
    return f"{service}/sign-in#link={token}"


def subscribe(store: Store, kind: SubscriptionKind, target: str, clock: Clock) -> Subscription:
    """Subscribe the partner to every change from now on."""
    formats = ("json",) if kind is SubscriptionKind.FILES else ()
    subscription = Subscription(f"{NAME}-{kind}", NAME, kind, target, clock(), formats)
    SubscriptionAdmin(store, clock).register(subscription)
    return subscription


def example_of_today(keys: Sequence[ScheduleKey], today: date) -> ScheduleKey | None:
    """A schedule of today, or else of the nearest day; None if there is no schedule."""
    return min(keys, key=lambda key: (abs(key.date - today), key), default=None)


def first_steps(service: str, guide: str, environment: Path, example: ScheduleKey | None) -> list[str]:
    """The lines with the guide's address and with commands to paste.

    ``service`` and ``guide`` are addresses; the latter signs in once. The commands read the key from ``environment``.
    """
    sourced = f". {quote(_shown(environment))};"
    another = f"{sourced} .venv/bin/schedules-pipeline partners link {NAME} --address {service}"
    steps = [("the guide", f"{guide}  (signs in once)"), ("once more", another)]
    if example is not None:
        steps.append(("a schedule", f"{sourced} curl {_AUTHORIZATION} {service}/v1/schedules/{example}"))
    steps.append(("the feed", f"{sourced} curl -N {_AUTHORIZATION} {service}/v1/changes/stream"))
    steps.append(("a copy", f"{sourced} .venv/bin/schedules-client follow"))
    return [f"{name:<12} {step}" for name, step in steps]


def describe_received(received: Sequence[Received]) -> str | None:
    """One line for the events since the previous one: the latest, and how many more; None without events."""
    if not received:
        return None
    last = received[-1]
    if not last.key:
        return f"{last.kind}, signature verified"
    more = f" and {len(received) - 1} more" if len(received) > 1 else ""
    after = f"{last.after.total_seconds():.2f} s after it was published"
    return f"{last.key} seq {last.seq}{more}, signature verified, {after}"


def _shown(path: Path) -> str:
    """The path relative to the working directory, with a slash, since ``.`` searches PATH for a bare name."""
    shown = os.path.relpath(path)
    shown = str(path) if shown.startswith("..") else shown
    return shown if "/" in shown else f"./{shown}"
