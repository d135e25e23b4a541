"""``schedules-pipeline push``: who is told of changes by us, how that goes, and mending it."""

from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

import click

from schedules_pipeline.cli.arguments import PARTNER, SUBSCRIPTION
from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.cli.printing import confirm, json_option, print_json, print_table, say, yes_option
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import ago, duration
from schedules_pipeline.delivery.cursors import parse_cursor, render_cursor
from schedules_pipeline.delivery.mirror import Extent
from schedules_pipeline.documents.delivered_file import FORMAT_NAMES
from schedules_pipeline.errors import ConfigurationError, InvalidIdentifier
from schedules_pipeline.migration.ports.served import ServedSource
from schedules_pipeline.push.subscription import Standing, Subscription, SubscriptionKind
from schedules_pipeline.push.webhook_signature import derive_secret, render_secret
from schedules_pipeline.push.webhook_target import parse_prefix, parse_webhook_address

if TYPE_CHECKING:
    from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin

_T = TypeVar("_T")

_NAME = click.argument("name", type=SUBSCRIPTION)


@click.group("push", short_help="Who is told of changes by webhook or files, and how that goes.")
def command() -> None:
    """Enter who is told of changes, by signed webhooks or by files in a bucket; see how that goes, and mend it.

    The process `python -m schedules_pipeline.push` does the telling.
    """


@command.command("register-webhook")
@click.argument("partner", type=PARTNER)
@click.argument("url")
@click.option("--name", type=SUBSCRIPTION, help="What to call it; <partner>-webhook if left out.")
@json_option
@pass_session
def register_webhook(session: Session, partner: str, url: str, name: str | None, as_json: bool) -> None:
    """Have every change of a partner's services posted to an address, from now on; prints the secret."""
    master = _master_secret(session)
    address = _typed(lambda: parse_webhook_address(url, session.settings.webhook_plain_hosts))
    made = Subscription(
        name or f"{partner}-webhook", partner, SubscriptionKind.WEBHOOK, address, session.now()
    )
    _register(session, made)
    secret = render_secret(derive_secret(master, made, made.generation))
    if as_json:
        print_json({"name": made.name, "secret": secret})
        return
    say(f"{made.name} is told of every change from now on; its requests are signed with")
    say(secret, "bold")


@command.command("register-files")
@click.argument("partner", type=PARTNER)
@click.option("--prefix", required=True, help="Below which its files lie in the bucket.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMAT_NAMES),
    help="Several times for several.",
)
@click.option("--name", type=SUBSCRIPTION, help="What to call it; <partner>-files if left out.")
@json_option
@pass_session
def register_files(
    session: Session, partner: str, prefix: str, formats: tuple[str, ...], name: str | None, as_json: bool
) -> None:
    """Have every schedule of a partner's services written as a file, with manifests of what changed."""
    if session.settings.files_bucket is None:
        raise ConfigurationError("files cannot be written: set SCHEDULES_FILES_BUCKET")
    below, kinds = _typed(lambda: parse_prefix(prefix)), tuple(dict.fromkeys(formats)) or ("json",)
    made = Subscription(
        name or f"{partner}-files", partner, SubscriptionKind.FILES, below, session.now(), kinds
    )
    _register(session, made)
    if as_json:
        print_json({"name": made.name})
    else:
        say(f"{made.name} is written below {below}/; {below}/latest.json leads to everything")


@command.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List all subscriptions, how far behind each is, and what is wrong with it."""
    standings = session.pipeline.store.subscriptions.all()
    if as_json:
        print_json({"subscriptions": [_fields(session, standing) for standing in standings]})
    elif standings:
        rows = [_row(session, standing) for standing in standings]
        print_table(["name", "partner", "kind", "state", "behind>", "last told", "problem"], rows)
    else:
        say("nobody is told of changes: `schedules-pipeline push register-webhook` enters somebody")


@command.command("show")
@_NAME
@json_option
@pass_session
def show(session: Session, name: str, as_json: bool) -> None:
    """Show everything of one, but its secret."""
    fields = _fields(session, _one(session, name))
    if as_json:
        print_json(fields)
        return
    for field, value in fields.items():
        say(f"{field.replace('_', ' '):14} {'' if value is None else value}")


@command.command("pause")
@_NAME
@json_option
@pass_session
def pause(session: Session, name: str, as_json: bool) -> None:
    """Tell it nothing until it is resumed; what changes meanwhile is told then."""
    _done(session, name, lambda desk: desk.pause(name), "is paused", as_json=as_json)


@command.command("resume")
@_NAME
@json_option
@pass_session
def resume(session: Session, name: str, as_json: bool) -> None:
    """Go on with one that is paused, set aside, or waits for its next attempt."""
    _done(session, name, lambda desk: desk.resume(name), "goes on where it was", as_json=as_json)


@command.command("replay")
@_NAME
@click.option(
    "--since", required=True, metavar="CURSOR|TIME", help="A cursor of the feed, or an ISO 8601 instant."
)
@json_option
@pass_session
def replay(session: Session, name: str, since: str, as_json: bool) -> None:
    """Tell everything since a place or a time once more; the receiver knows repetitions by their ids."""
    extent = _typed(lambda: _extent(session, since))
    _done(
        session,
        name,
        lambda desk: _typed(lambda: desk.replay(name, extent.position, extent.epoch)),
        f"is told everything since {since} once more",
        as_json=as_json,
    )


@command.command("full")
@_NAME
@json_option
@pass_session
def full(session: Session, name: str, as_json: bool) -> None:
    """Write all files anew, with a full manifest."""
    if _one(session, name).subscription.kind is not SubscriptionKind.FILES:
        raise CommandExit(f"{name} is a webhook; only files are written in full")
    _done(session, name, lambda desk: desk.write_full(name), "is written in full next", as_json=as_json)


@command.command("secret")
@_NAME
@json_option
@pass_session
def secret(session: Session, name: str, as_json: bool) -> None:
    """Print the secret that signs its requests, to hand it over."""
    _print_secret(session, _webhook(session, name), as_json=as_json)


@command.command("rotate-secret")
@_NAME
@yes_option
@json_option
@pass_session
def rotate_secret(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Give it another secret and print that; for 24 hours the one before signs as well."""
    _master_secret(session)
    _webhook(session, name)
    confirm(f"Sign with another secret from now on, and from tomorrow with that alone: {name}?", yes=yes)
    after = _desk(session).rotate(name)
    if after is None:
        raise CommandExit(f"{name} has been removed meanwhile")
    _print_secret(session, after.subscription, as_json=as_json)


@command.command("remove")
@_NAME
@yes_option
@json_option
@pass_session
def remove(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Remove it; files that were written stay. It asks."""
    _one(session, name)
    confirm(f"Remove {name}? What it was not told yet it never will be", yes=yes)
    if not session.pipeline.store.subscriptions.remove(name):
        raise CommandExit(f"{name} has been removed meanwhile")
    if as_json:
        print_json({"removed": name})
    else:
        say(f"{name} is removed")


def _register(session: Session, made: Subscription) -> None:
    if session.pipeline.store.partners.one(made.partner) is None:
        raise CommandExit(
            f"there is no partner {made.partner}: `schedules-pipeline partners list` says who is"
        )
    if not _typed(lambda: _desk(session).register(made)):
        raise CommandExit(f"there is a subscription {made.name} already: remove it, or say another --name")


def _done(
    session: Session,
    name: str,
    change: "Callable[[SubscriptionAdmin], Standing | None]",
    what: str,
    *,
    as_json: bool,
) -> None:
    _one(session, name)
    after = change(_desk(session))
    if after is None:
        raise CommandExit(f"{name} has been removed meanwhile")
    if as_json:
        print_json(_fields(session, after))
    else:
        say(f"{name} {what}")


def _desk(session: Session) -> "SubscriptionAdmin":
    from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin  # noqa: PLC0415 - as the pipeline

    store = session.pipeline.store
    return SubscriptionAdmin(store, session.pipeline.clock)


def _one(session: Session, name: str) -> Standing:
    book = session.pipeline.store.subscriptions
    found = book.one(name)
    if found is not None:
        return found
    close = get_close_matches(name, [standing.subscription.name for standing in book.all()], n=3)
    known = f"did you mean {' or '.join(close)}?" if close else "`schedules-pipeline push list` says what is"
    raise CommandExit(f"there is no subscription {name}: {known}")


def _webhook(session: Session, name: str) -> Subscription:
    found = _one(session, name).subscription
    if found.kind is not SubscriptionKind.WEBHOOK:
        raise CommandExit(f"{name} is written as files, which are not signed")
    return found


def _master_secret(session: Session) -> bytes:
    master = session.settings.webhook_master_secret
    if master is None:
        raise ConfigurationError("webhooks cannot be signed: set SCHEDULES_WEBHOOK_MASTER_SECRET")
    return master.get_secret_value().encode()


def _print_secret(session: Session, subscription: Subscription, *, as_json: bool) -> None:
    text = render_secret(derive_secret(_master_secret(session), subscription, subscription.generation))
    if as_json:
        print_json({"name": subscription.name, "generation": subscription.generation, "secret": text})
    else:
        say(text)


def _extent(session: Session, since: str) -> Extent:
    """Raises :class:`InvalidIdentifier` for what is neither."""
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        return parse_cursor(since)
    if at.tzinfo is None:
        raise InvalidIdentifier(f"say which zone {since!r} is of, for example by a Z behind it")
    epoch = session.pipeline.store.coldstarts.epoch()
    return Extent(epoch.id if epoch else "", session.pipeline.store.feed.position_before(at.astimezone(UTC)))


def _typed(read: Callable[[], _T]) -> _T:
    """What an operator typed that cannot be meant is a usage error."""
    try:
        return read()
    except InvalidIdentifier as error:
        raise click.UsageError(str(error)) from error


def _state(session: Session, standing: Standing) -> str:
    if standing.progress.quarantine is not None:
        return "set aside"
    if standing.subscription.is_paused:
        return "paused"
    if _waits_for_the_switch(session, standing.subscription.partner):
        return "before the switch"
    return "failing" if standing.progress.failures else "well"


def _waits_for_the_switch(session: Session, name: str) -> bool:
    """Its partner is served by the old system, so it is told nothing, and nothing is wrong."""
    store = session.pipeline.store
    partner = store.partners.one(name)
    if partner is None or partner.is_preview or partner.is_operator:
        return False
    return store.served.current().source is not ServedSource.OURS


def _row(session: Session, standing: Standing) -> list[object]:
    subscription, progress = standing.subscription, standing.progress
    told = "" if progress.delivered_at is None else ago(progress.delivered_at, session.now())
    behind = duration(_behind_seconds(session, standing))
    return [
        subscription.name,
        subscription.partner,
        subscription.kind,
        _state(session, standing),
        behind,
        told,
        progress.problem,
    ]


def _behind_seconds(session: Session, standing: Standing) -> float:
    from schedules_pipeline.push.lag import push_lag  # noqa: PLC0415 - as the pipeline

    store = session.pipeline.store
    epoch = store.coldstarts.epoch()
    last = store.feed.last_position()
    return push_lag(standing, store.feed, last, epoch.id if epoch else "", session.now()).total_seconds()


def _fields(session: Session, standing: Standing) -> dict[str, object]:
    subscription, progress = standing.subscription, standing.progress
    aside = progress.quarantine
    return {
        "name": subscription.name,
        "partner": subscription.partner,
        "kind": subscription.kind.value,
        "target": subscription.target,
        "formats": list(subscription.formats),
        "created_at": subscription.created_at,
        "state": _state(session, standing),
        "behind_seconds": round(_behind_seconds(session, standing), 3),
        "cursor": render_cursor(Extent(progress.epoch, progress.position)),
        "delivered_at": progress.delivered_at,
        "failures": progress.failures,
        "failing_since": progress.failing_since,
        "next_at": progress.next_at,
        "problem": progress.problem,
        "set_aside_at": None if aside is None else aside.since,
        "full_at": progress.full_at,
        "secret_generation": subscription.generation,
        "secret_rotated_at": subscription.rotated_at,
    }
