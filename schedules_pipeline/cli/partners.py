"""``schedules-pipeline partners``: who may read, with which keys, how much, and how much they do.

A key is printed once, on standard output, by the command that makes it, and nowhere else.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final, TypeVar, cast

import click

from schedules_pipeline.cli.arguments import PARTNER, PATTERN
from schedules_pipeline.cli.endings import CommandExit, Ending, end_as
from schedules_pipeline.cli.partners_backup import export, import_
from schedules_pipeline.cli.printing import confirm, json_option, print_json, print_table, say, yes_option
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import ago, counted, duration, yes_no
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
from schedules_pipeline.partners.ports import TOO_MANY, UsageCounts, UsageKind, UsageLine

_SHOWN_DAYS: Final = 8
_MOST_TRIES = 5
_LONGEST_OVERLAP_HOURS = 24 * 90
_LONGEST_EXPIRY_DAYS = 3_660
_NOT_MODIFIED = "304"

_Command = TypeVar("_Command", bound=Callable[..., Any])

_NAME = click.argument("name", type=PARTNER)


@click.group("partners", short_help="Who may read, with which keys, and how much.")
def command() -> None:
    """Enter partners and their keys, change and remove them, and see what they ask for.

    The delivery service goes by a change within seconds. A key is shown once, when it is made.
    """


command.add_command(export)
command.add_command(import_)


def _limits(function: _Command) -> _Command:
    """What may be chosen of a partner, when it is entered and later."""
    made: Any = function
    for option in (
        click.option(
            "--service",
            "services",
            type=PATTERN,
            multiple=True,
            help="A service id, or a pattern with * and ?.",
        ),
        click.option(
            "--requests-per-minute",
            type=click.IntRange(1, MOST_REQUESTS_PER_MINUTE),
            help="A minute's worth may come at once.",
        ),
        click.option(
            "--requests-per-day", type=click.IntRange(1, MOST_REQUESTS_PER_DAY), help="A day in UTC."
        ),
        click.option(
            "--waiting-at-once", type=click.IntRange(0, MOST_WAITING_AT_ONCE), help="Long polls and streams."
        ),
    ):
        made = option(made)
    return cast("_Command", made)


@command.command("create")
@_NAME
@_limits
@click.option("--preview", "is_preview", is_flag=True, help="Served by us before partners are switched.")
@click.option("--operator", "is_operator", is_flag=True, help="Sees provenance and parity as well.")
@json_option
@pass_session
def create(session: Session, /, name: str, as_json: bool, **chosen: Any) -> None:
    """Enter a partner, and print its first key: this once."""
    issued = _issue(session.now())
    partner = Partner(name, session.now(), keys=(issued.key,), **_given(chosen))
    if not session.pipeline.store.partners.create(partner):
        raise CommandExit(f"there is a partner {name} already: `schedules-pipeline partners show {name}`")
    _print_key(session, partner, issued, as_json=as_json)


@command.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List all partners. Ends with 1 where a record does not read back."""
    book, now = session.pipeline.store.partners, session.now()
    partners, unreadable = book.all(), book.unreadable()
    usage = book.usage(now.date())
    if as_json:
        print_json(
            {
                "partners": [{**_fields(p, now), "today": _sums(usage, p.name)} for p in partners],
                "unreadable": unreadable,
            }
        )
    elif partners:
        _print_partners(partners, usage, now)
    else:
        say("there are no partners: `schedules-pipeline partners create NAME`")
    if unreadable:
        if not as_json:
            say(f"these records do not read back, and let nobody in: {', '.join(unreadable)}", "red")
        end_as(Ending.WRONG)


@command.command("show")
@_NAME
@json_option
@pass_session
def show(session: Session, name: str, as_json: bool) -> None:
    """Show a partner: services, limits, keys, and the usage of today and the seven days before."""
    partner, now = _one(session, name), session.now()
    usage = _usage(session, now)
    if as_json:
        days = [
            {**_sums(counts, name), "date": day, "lines": _lines(counts, name)}
            for day, counts in usage.items()
        ]
        print_json({**_fields(partner, now), "usage": days})
        return
    _print_partner(partner)
    _print_keys(partner, now)
    _print_usage(name, usage)


@command.command("change")
@_NAME
@_limits
@click.option("--preview", "is_preview", type=bool, metavar="YES|NO", help="Served by us before the switch.")
@click.option("--operator", "is_operator", type=bool, metavar="YES|NO", help="Sees provenance and parity.")
@json_option
@pass_session
def change(session: Session, /, name: str, as_json: bool, **chosen: Any) -> None:
    """Change what a partner may see and ask for. Services that are named replace those that it has."""
    given = _given(chosen)
    if not given:
        raise click.UsageError("say what to change: services, a limit, preview or operator")
    partner = _change(session, name, lambda partner: replace(partner, **given))
    if as_json:
        print_json(_fields(partner, session.now()))
    else:
        _print_partner(partner)


@command.command("add-key")
@_NAME
@click.option("--expires-in-days", type=click.IntRange(1, _LONGEST_EXPIRY_DAYS), help="It lasts if left out.")
@json_option
@pass_session
def add_key(session: Session, name: str, expires_in_days: int | None, as_json: bool) -> None:
    """Give a partner one more key, and print it: this once. Those that have expired are forgotten."""
    now = session.now()
    issued = _issue(now, None if expires_in_days is None else now + timedelta(days=expires_in_days))
    partner = _change(session, name, lambda partner: partner.with_key(issued.key, now))
    _print_key(session, partner, issued, as_json=as_json)


@command.command("rotate-key")
@_NAME
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, _LONGEST_OVERLAP_HOURS),
    default=24,
    show_default=True,
    help="For how long the old keys still hold.",
)
@json_option
@pass_session
def rotate_key(session: Session, name: str, overlap_hours: int, as_json: bool) -> None:
    """Give a partner a new key, print it this once, and let all others expire after a while."""
    now, overlap = session.now(), timedelta(hours=overlap_hours)
    issued = _issue(now)
    partner = _change(session, name, lambda partner: partner.rotated_to(issued.key, now, overlap))
    _print_key(session, partner, issued, as_json=as_json)


@command.command("revoke-key")
@_NAME
@click.argument("key_id")
@json_option
@pass_session
def revoke_key(session: Session, name: str, key_id: str, as_json: bool) -> None:
    """Revoke a key, by its id. The delivery service refuses it within seconds."""
    partner = _change(session, name, lambda partner: partner.without_key(key_id))
    if as_json:
        print_json(_fields(partner, session.now()))
        return
    say(f"revoked key {key_id} of {name}; the delivery service refuses it within seconds")
    if not partner.valid_keys(session.now()):
        say(f"{name} has no key left, and cannot read", "red")


@command.command("remove")
@_NAME
@yes_option
@json_option
@pass_session
def remove(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Remove a partner with its keys and totals, also one whose record does not read back. It asks."""
    book = session.pipeline.store.partners
    if name not in book.unreadable():
        _one(session, name)
    confirm(f"Remove {name}, so that its keys are refused within seconds?", yes=yes)
    if not book.remove(name):
        raise CommandExit(f"{name} has been removed meanwhile")
    if as_json:
        print_json({"removed": name})
    else:
        say(f"removed {name}")


def _issue(now: datetime, expires_at: datetime | None = None) -> IssuedKey:
    return issue_key(secrets.token_bytes(RANDOM_BYTES), now, expires_at)


def _given(chosen: dict[str, Any]) -> dict[str, Any]:
    """What was chosen, as fields of a partner; what was left out stays as it is."""
    return {name: value for name, value in chosen.items() if value is not None and value != ()}


def _one(session: Session, name: str) -> Partner:
    book = session.pipeline.store.partners
    partner = book.one(name)
    if partner is None:
        close = get_close_matches(name, [p.name for p in book.all()], n=3)
        meant = (
            f"did you mean {' or '.join(close)}?"
            if close
            else "`schedules-pipeline partners list` says who is"
        )
        raise CommandExit(f"there is no partner {name}: {meant}")
    return partner


def _change(session: Session, name: str, change: Callable[[Partner], Partner]) -> Partner:
    """What another operator changes meanwhile is kept: the change is made again, of what is there then."""
    for _ in range(_MOST_TRIES):
        before = _one(session, name)
        after = change(before)
        if session.pipeline.store.partners.change(before, after):
            return after
    raise CommandExit(f"others are changing {name} all the time: try again", Ending.NO_ANSWER)


def _print_key(session: Session, partner: Partner, issued: IssuedKey, *, as_json: bool) -> None:
    if as_json:
        print_json({**_fields(partner, session.now()), "key": issued.text})
        return
    expires_at = issued.key.expires_at
    lasts = (
        "it lasts until it is revoked"
        if expires_at is None
        else f"it expires at {expires_at:%Y-%m-%d %H:%M} UTC"
    )
    say(f"key {issued.key.id} of {partner.name}; {lasts}. It is shown this once:")
    say(issued.text, "bold")


def _print_partners(partners: list[Partner], usage: UsageCounts, now: datetime) -> None:
    print_table(
        ["partner", "services", "keys>", "a minute>", "a day>", "preview", "operator", "requests today>"],
        [
            [
                p.name,
                " ".join(p.services),
                len(p.valid_keys(now)),
                f"{p.requests_per_minute:,}",
                f"{p.requests_per_day:,}",
                yes_no(p.is_preview),
                yes_no(p.is_operator),
                f"{_sums(usage, p.name)['requests']:,}",
            ]
            for p in partners
        ],
    )


def _print_partner(partner: Partner) -> None:
    say(partner.name, "bold")
    print_table(
        ["services", "a minute>", "a day>", "waiting>", "preview", "operator"],
        [
            [
                " ".join(partner.services),
                f"{partner.requests_per_minute:,}",
                f"{partner.requests_per_day:,}",
                partner.waiting_at_once,
                yes_no(partner.is_preview),
                yes_no(partner.is_operator),
            ]
        ],
    )


def _print_keys(partner: Partner, now: datetime) -> None:
    if not partner.keys:
        say("it has no key, and cannot read", "red")
        return
    rows = [[key.id, ago(key.created_at, now), _expiry(key, now)] for key in partner.keys]
    print_table(["key", "made", "expires"], rows)


def _expiry(key: ApiKey, now: datetime) -> str:
    if key.expires_at is None:
        return "never"
    return (
        f"in {duration(key.expires_at - now)}" if key.is_valid(now) else f"expired {ago(key.expires_at, now)}"
    )


def _print_usage(name: str, usage: dict[str, UsageCounts]) -> None:
    sums = {day: _sums(counts, name) for day, counts in usage.items()}
    columns = ("requests", "not_modified", "over_limits", "problems", "bytes")
    print_table(
        ["day (UTC)", *(f"{column.replace('_', ' ')}>" for column in columns)],
        [[day, *(f"{found[column]:,}" for column in columns)] for day, found in sums.items()],
        title=f"{counted(len(sums), 'day')} of usage, today first",
    )


def _usage(session: Session, now: datetime) -> dict[str, UsageCounts]:
    days = [now.date() - timedelta(days=number) for number in range(_SHOWN_DAYS)]
    return {str(day): session.pipeline.store.partners.usage(day) for day in days}


def _sums(counts: UsageCounts, name: str) -> dict[str, int]:
    """``over_limits`` are among the requests, and each is a problem too."""
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
    return [{**_line(line), "count": count} for line, count in found]


def _line(line: UsageLine) -> dict[str, object]:
    return {"kind": line.kind.value, "route": line.route, "detail": line.detail}


def _fields(partner: Partner, now: datetime) -> dict[str, object]:
    """All but the digests of the keys, which are nobody's business."""
    return {
        "name": partner.name,
        "created_at": partner.created_at,
        "services": list(partner.services),
        "preview": partner.is_preview,
        "operator": partner.is_operator,
        "requests_per_minute": partner.requests_per_minute,
        "requests_per_day": partner.requests_per_day,
        "waiting_at_once": partner.waiting_at_once,
        "keys": [
            {"id": k.id, "created_at": k.created_at, "expires_at": k.expires_at, "is_valid": k.is_valid(now)}
            for k in partner.keys
        ],
    }
