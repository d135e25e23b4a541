"""``schedules-pipeline partners``: partners, their keys, limits and usage.

A key is printed once, on standard output, by the command that creates it.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import click

from schedules_pipeline.cli import state
from schedules_pipeline.cli.answer import (
    Answer,
    Shown,
    answering,
    confirm,
    document_table,
    line,
    members,
    table,
)
from schedules_pipeline.cli.arguments import PARTNER, PATTERN, did_you_mean, yes_option
from schedules_pipeline.cli.partner_sessions import link, sign_out
from schedules_pipeline.cli.session import CommandExit, Ending, Session
from schedules_pipeline.cli.wording import ago, duration
from schedules_pipeline.partners.partner import (
    MOST_REQUESTS_PER_DAY,
    MOST_REQUESTS_PER_MINUTE,
    MOST_WAITING_AT_ONCE,
    RANDOM_BYTES,
    ApiKey,
    IssuedKey,
    Partner,
    issue_key,
)
from schedules_pipeline.partners.ports import TOO_MANY, UsageCounts, UsageKind

_SHOWN_DAYS: Final = 8
_MOST_ATTEMPTS = 5
_LONGEST_OVERLAP_HOURS = 24 * 90
_LONGEST_EXPIRY_DAYS = 3_660
_NOT_MODIFIED = "304"
_PREVIEW, _OPERATOR = "Served by the pipeline before the switch.", "Also sees provenance and parity."
_PUBLIC = "Televisions read its services without a key, under its name."

_Command = TypeVar("_Command", bound=Callable[..., Any])

_name_argument = click.argument("name", type=PARTNER)


@click.group("partners")
def command() -> None:
    """Create, change and remove partners and their keys, and see their usage.

    The delivery service applies a change within seconds. A key is printed once, when it is created.
    """


command.add_command(link)
command.add_command(sign_out)
for name, renamed in (("export", state.export), ("import", state.import_)):
    told = f"It is now `schedules-pipeline state {name}`; the old name goes in version 0.3."
    command.add_command(
        click.Command(
            name, callback=renamed.callback, params=renamed.params, help=renamed.help, deprecated=told
        )
    )


_SERVICES = "A service id, or a pattern with * and ?."
_LIMITS = (
    ("--waiting-at-once", click.IntRange(0, MOST_WAITING_AT_ONCE), "Long polls and streams at once."),
    ("--requests-per-day", click.IntRange(1, MOST_REQUESTS_PER_DAY), "Per day in UTC."),
    ("--requests-per-minute", click.IntRange(1, MOST_REQUESTS_PER_MINUTE), "Also the largest burst."),
)


def _limit_options(command: _Command) -> _Command:
    """Add the options for a partner's services and limits."""
    for name, limits, text in _LIMITS:
        command = click.option(name, type=limits, help=text)(command)
    return click.option("--service", "services", type=PATTERN, multiple=True, help=_SERVICES)(command)


@command.command("create")
@_name_argument
@_limit_options
@click.option("--preview", "is_preview", is_flag=True, help=_PREVIEW)
@click.option("--operator", "is_operator", is_flag=True, help=_OPERATOR)
@click.option("--public", "is_public", is_flag=True, help=_PUBLIC)
@answering
def create(session: Session, /, name: str, **options: Any) -> Answer:
    """Create a partner, and print its first key, once."""
    now = session.now()
    issued = _issue(now)
    partner = Partner(name, now, keys=(issued.key,), **_given(options))
    if not session.pipeline.store.partners.create(partner):
        raise CommandExit(f"there is a partner {name} already: `schedules-pipeline partners show {name}`")
    return _key_answer(session, partner, issued)


@command.command("list")
@answering
def list_(session: Session) -> Answer:
    """List all partners. Ends with 1 if a record cannot be decoded."""
    store, now = session.pipeline.store.partners, session.now()
    partners, unreadable = store.all(), store.unreadable()
    usage = store.usage(now.date())
    documents = [{**_fields(partner, now), "today": _sums(usage, partner.name)} for partner in partners]
    shown: list[Shown] = ["there are no partners: `schedules-pipeline partners create NAME`"]
    if partners:
        valid = {partner.name: len(partner.valid_keys(now)) for partner in partners}
        rows = [{**d, "keys": valid[d["name"]], "requests_today": d["today"]["requests"]} for d in documents]
        columns = ("name", "services", *_COLUMNS, "keys", "requests_today")
        shown = [document_table(session, rows, *columns)]
    if unreadable:
        text = f"these records cannot be decoded, and their partners have no access: {', '.join(unreadable)}"
        shown.append(line(text, "red"))
    ending = Ending.WRONG if unreadable else Ending.WELL
    return Answer({"partners": documents, "unreadable": unreadable}, shown, ending)


@command.command("show")
@_name_argument
@answering
def show(session: Session, name: str) -> Answer:
    """Show a partner: services, limits, keys, and the usage of today and the seven days before."""
    partner, now = _one(session, name), session.now()
    days = [now.date() - timedelta(days=number) for number in range(_SHOWN_DAYS)]
    usage = {day: session.pipeline.store.partners.usage(day) for day in days}
    documents = [
        {**_sums(counts, name), "date": str(day), "lines": _lines(counts, name)}
        for day, counts in usage.items()
    ]
    fields = _fields(partner, now)
    return Answer({**fields, "usage": documents}, _show_shown(session, partner, documents))


@command.command("change")
@_name_argument
@_limit_options
@click.option("--preview", "is_preview", type=bool, metavar="YES|NO", help=_PREVIEW)
@click.option("--operator", "is_operator", type=bool, metavar="YES|NO", help=_OPERATOR)
@click.option("--public", "is_public", type=bool, metavar="YES|NO", help=_PUBLIC)
@answering
def change(session: Session, /, name: str, **options: Any) -> Answer:
    """Change a partner's services, limits and rights. Named services replace its previous ones."""
    given = _given(options)
    if not given:
        raise click.UsageError("say what to change: services, a limit, preview, operator or public")
    partner = _change(session, name, lambda partner: replace(partner, **given))
    fields = _fields(partner, session.now())
    return Answer(fields, [document_table(session, [fields], "name", "services", *_COLUMNS)])


@command.command("add-key")
@_name_argument
@click.option("--expires-in-days", type=click.IntRange(1, _LONGEST_EXPIRY_DAYS), help="Without it, never.")
@answering
def add_key(session: Session, name: str, expires_in_days: int | None) -> Answer:
    """Give a partner one more key, and print it, once. Expired keys are removed."""
    now = session.now()
    issued = _issue(now, None if expires_in_days is None else now + timedelta(days=expires_in_days))
    return _key_answer(session, _change(session, name, lambda p: p.with_key(issued.key, now)), issued)


@command.command("rotate-key")
@_name_argument
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, _LONGEST_OVERLAP_HOURS),
    default=24,
    show_default=True,
    help="How long the old keys stay valid.",
)
@answering
def rotate_key(session: Session, name: str, overlap_hours: int) -> Answer:
    """Give a partner a new key, print it, once, and let all other keys expire after an overlap."""
    now, overlap = session.now(), timedelta(hours=overlap_hours)
    issued = _issue(now)
    partner = _change(session, name, lambda partner: partner.rotated_to(issued.key, now, overlap))
    return _key_answer(session, partner, issued)


@command.command("revoke-key")
@_name_argument
@click.argument("key_id")
@answering
def revoke_key(session: Session, name: str, key_id: str) -> Answer:
    """Revoke a key, by its id. The delivery service rejects it within seconds."""
    partner = _change(session, name, lambda partner: partner.without_key(key_id))
    shown: list[Shown] = [f"revoked key {key_id} of {name}; the delivery service rejects it within seconds"]
    if not partner.valid_keys(session.now()):
        shown.append(line(f"{name} has no key left, and cannot read", "red"))
    return Answer(_fields(partner, session.now()), shown)


@command.command("remove")
@_name_argument
@yes_option
@answering
def remove(session: Session, name: str, yes: bool) -> Answer:
    """Remove a partner with its keys and totals, even if its record cannot be decoded. It asks."""
    store = session.pipeline.store.partners
    if name not in store.unreadable():
        _one(session, name)
    confirm(f"Remove {name}? The delivery service rejects its keys within seconds.", yes=yes)
    if not store.remove(name):
        raise CommandExit(f"{name} was removed by another operator")
    session.pipeline.store.sign_ins.end_all(name)
    left = [
        standing.subscription.name
        for standing in session.pipeline.store.subscriptions.all()
        if standing.subscription.partner == name
    ]
    shown = [f"removed {name}"]
    if left:
        shown.append(
            f"its subscriptions stay; remove each with `schedules-pipeline push remove`: {', '.join(left)}"
        )
    return Answer({"removed": name, "subscriptions": left}, shown)


def _issue(now: datetime, expires_at: datetime | None = None) -> IssuedKey:
    return issue_key(secrets.token_bytes(RANDOM_BYTES), now, expires_at)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as fields of a partner."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


def _one(session: Session, name: str) -> Partner:
    store = session.pipeline.store.partners
    partner = store.one(name)
    if partner is None:
        known = did_you_mean(name, [p.name for p in store.all()], "schedules-pipeline partners list")
        raise CommandExit(f"there is no partner {name}: {known}")
    return partner


def _change(session: Session, name: str, change: Callable[[Partner], Partner]) -> Partner:
    """Apply a change. If another operator changes the partner at the same time, it is applied to that state."""
    for _ in range(_MOST_ATTEMPTS):
        before = _one(session, name)
        after = change(before)
        if session.pipeline.store.partners.change(before, after):
            return after
    raise CommandExit(f"{name} was changed by others {_MOST_ATTEMPTS} times: try again", Ending.NO_ANSWER)


def _key_answer(session: Session, partner: Partner, issued: IssuedKey) -> Answer:
    expires_at = issued.key.expires_at
    lasts = "never expires" if expires_at is None else f"expires at {expires_at:%Y-%m-%d %H:%M} UTC"
    return Answer(
        {**_fields(partner, session.now()), "key": issued.text},
        [
            f"key {issued.key.id} of {partner.name} {lasts}. It is shown only once:",
            line(issued.text, "bold"),
        ],
    )


_COLUMNS = ("requests_per_minute", "requests_per_day", "waiting_at_once", "preview", "operator", "public")


def _show_shown(session: Session, partner: Partner, usage: list[dict[str, Any]]) -> Iterator[Shown]:
    now = session.now()
    yield document_table(session, [_fields(partner, now)], "name", "services", *_COLUMNS)
    if partner.keys:
        rows = [[key.id, ago(key.created_at, now), _expiry(key, now)] for key in partner.keys]
        yield table(["key", "created", "expires"], rows)
    elif not partner.is_public:
        yield line("it has no key, and cannot read", "red")
    columns = ("date", "requests", "not_modified", "over_limits", "problems", "bytes")
    yield document_table(session, usage, *columns)


def _expiry(key: ApiKey, now: datetime) -> str:
    if key.expires_at is None:
        return "never"
    return (
        f"in {duration(key.expires_at - now)}" if key.is_valid(now) else f"expired {ago(key.expires_at, now)}"
    )


def _sums(counts: UsageCounts, name: str) -> dict[str, int]:
    """Requests ``over_limits`` are counted as requests and as problems too."""
    of_partner = {line: count for line, count in counts.items() if line.partner == name}

    def total(kind: UsageKind, detail: str = "") -> int:
        return sum(c for line, c in of_partner.items() if line.kind is kind and detail in ("", line.detail))

    return {
        "requests": total(UsageKind.REQUESTS),
        "not_modified": total(UsageKind.REQUESTS, _NOT_MODIFIED),
        "over_limits": total(UsageKind.REQUESTS, TOO_MANY),
        "problems": total(UsageKind.PROBLEMS),
        "bytes": total(UsageKind.BYTES),
    }


def _lines(counts: UsageCounts, name: str) -> list[dict[str, object]]:
    found = sorted((line, count) for line, count in counts.items() if line.partner == name)
    return [{**members(line, "kind", "route", "detail"), "count": count} for line, count in found]


def _fields(partner: Partner, now: datetime) -> dict[str, Any]:
    """Everything except the digests of the keys."""
    keys = [
        {**members(key, "id", "created_at", "expires_at"), "is_valid": key.is_valid(now)}
        for key in partner.keys
    ]
    return {
        **members(partner, "name", "created_at", "services"),
        "preview": partner.is_preview,
        "operator": partner.is_operator,
        "public": partner.is_public,
        **members(partner, "requests_per_minute", "requests_per_day", "waiting_at_once"),
        "keys": keys,
    }
