"""``schedules-pipeline push``: subscriptions to webhooks and files, their state, and changing them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from schedules_pipeline.cli.answer import Answer, answering, confirm, document_table, line, table
from schedules_pipeline.cli.arguments import PARTNER, SUBSCRIPTION, did_you_mean, usage_errors, yes_option
from schedules_pipeline.cli.session import CommandExit, Session
from schedules_pipeline.cli.wording import duration
from schedules_pipeline.documents.cursors import FeedCursor, parse_cursor
from schedules_pipeline.documents.delivered_file import FORMAT_NAMES
from schedules_pipeline.errors import ConfigurationError, InvalidIdentifier
from schedules_pipeline.push.description import describe
from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin
from schedules_pipeline.push.subscription import (
    MOST_BATCH,
    MOST_CONCURRENCY,
    Envelope,
    Standing,
    Subscription,
    SubscriptionKind,
)
from schedules_pipeline.push.webhook_signature import derive_secret, render_secret
from schedules_pipeline.push.webhook_target import parse_prefix, parse_webhook_address

_name_argument = click.argument("name", type=SUBSCRIPTION)
_partner_argument = click.argument("partner", type=PARTNER)


def _name_option(default: str) -> Callable[..., Any]:
    return click.option("--name", type=SUBSCRIPTION, help=f"The subscription's name; {default} by default.")


def _webhook_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How requests are made; an option that is not given changes nothing."""
    for option in (
        click.option("--batch", type=click.IntRange(1, MOST_BATCH), help="Most events in one request."),
        click.option(
            "--concurrency",
            type=click.IntRange(1, MOST_CONCURRENCY),
            help="Requests under way at once, for different schedules.",
        ),
        click.option("--envelope", type=click.Choice([*Envelope]), help="The form of the events."),
    ):
        function = option(function)
    return function


@click.group("push")
def command() -> None:
    """Register webhooks and file deliveries, see their state, and change them.

    The process `python -m schedules_pipeline.push` delivers the changes.
    """


@command.command("register-webhook")
@_partner_argument
@click.argument("url")
@_name_option("<partner>-webhook")
@_webhook_options
@answering
def register_webhook(session: Session, partner: str, url: str, name: str | None, **choices: Any) -> Answer:
    """Post every change of a partner's services to an address, from now on; prints the secret."""
    _master_secret(session)
    with usage_errors():
        address = parse_webhook_address(url, session.settings.webhook_plain_hosts)
    made = Subscription(
        name or f"{partner}-webhook", partner, SubscriptionKind.WEBHOOK, address, session.now()
    ).configured(**_chosen(choices))
    _register(session, made)
    secret = _secret(session, made)
    shown = f"{made.name} receives every change from now on; the requests are signed with"
    return Answer({"name": made.name, "secret": secret}, [shown, line(secret, "bold")])


@command.command("register-files")
@_partner_argument
@click.option("--prefix", required=True, help="The files' prefix in the bucket.")
@click.option("--format", "formats", multiple=True, type=click.Choice(FORMAT_NAMES), help="May be repeated.")
@_name_option("<partner>-files")
@answering
def register_files(
    session: Session, partner: str, prefix: str, formats: tuple[str, ...], name: str | None
) -> Answer:
    """Write every schedule of a partner's services as a file, with manifests of the changes."""
    if session.settings.files_bucket is None:
        raise ConfigurationError("files cannot be written: set SCHEDULES_FILES_BUCKET")
    with usage_errors():
        below = parse_prefix(prefix)
    kinds = tuple(dict.fromkeys(formats)) or ("json",)
    made = Subscription(
        name or f"{partner}-files", partner, SubscriptionKind.FILES, below, session.now(), kinds
    )
    _register(session, made)
    shown = f"{made.name} is written below {below}/; {below}/latest.json names the latest manifests"
    return Answer({"name": made.name}, shown)


@command.command("list")
@answering
def list_(session: Session) -> Answer:
    """List all subscriptions, how far behind each one is, and its latest problem."""
    found = [_fields(session, standing) for standing in session.pipeline.store.subscriptions.all()]
    if not found:
        return Answer(
            {"subscriptions": []},
            "there are no subscriptions: `schedules-pipeline push register-webhook` adds one",
        )
    rows = [{**each, "behind": duration(each["behind_seconds"])} for each in found]
    columns = ("name", "partner", "kind", "state", "behind", "delivered_at", "problem")
    return Answer({"subscriptions": found}, [document_table(session, rows, *columns)])


@command.command("show")
@_name_argument
@answering
def show(session: Session, name: str) -> Answer:
    """Show everything about a subscription except its secret."""
    fields = _fields(session, _one(session, name))
    members = {
        member: session.local(value) if isinstance(value, datetime) else value
        for member, value in fields.items()
        if member != "answers"
    }
    shown = [table(["member", "value"], members.items())]
    if fields["answers"]:
        shown.append(document_table(session, fields["answers"], *fields["answers"][0]))
    return Answer(fields, shown)


@command.command("pause")
@_name_argument
@answering
def pause(session: Session, name: str) -> Answer:
    """Send nothing until the subscription is resumed; pending changes are sent then."""
    return _change(session, name, lambda admin: admin.pause(name), "is paused")


@command.command("resume")
@_name_argument
@answering
def resume(session: Session, name: str) -> Answer:
    """End a pause, a quarantine, or the wait for the next attempt."""
    return _change(session, name, lambda admin: admin.resume(name), "continues where it was")


@command.command("ping")
@_name_argument
@answering
def ping(session: Session, name: str) -> Answer:
    """Send an event that tells of no change to a webhook, before the pending changes."""
    _webhook(session, name)
    if stopped := _one(session, name).stopped:
        raise CommandExit(f"{name} is {stopped}, so nothing is sent: `schedules-pipeline push resume {name}`")
    return _change(
        session,
        name,
        lambda admin: admin.ping(name),
        f"is pinged next; `schedules-pipeline push show {name}` has the answer",
    )


@command.command("replay")
@_name_argument
@click.option("--since", required=True, metavar="CURSOR|TIME", help="A feed cursor, or an ISO 8601 instant.")
@answering
def replay(session: Session, name: str, since: str) -> Answer:
    """Send every change after a cursor or time again; receivers recognise repetitions by their ids."""
    with usage_errors():
        extent = _extent(session, since)
        return _change(
            session,
            name,
            lambda admin: admin.replay(name, extent.position, extent.epoch),
            f"receives everything since {since} again",
        )


@command.command("configure")
@_name_argument
@_webhook_options
@answering
def configure(session: Session, name: str, **choices: Any) -> Answer:
    """Change how a webhook's requests are made."""
    _webhook(session, name)
    chosen = _chosen(choices)
    if not chosen:
        raise CommandExit("nothing to change: give --envelope, --concurrency or --batch")
    return _change(session, name, lambda admin: admin.configure(name, **chosen), "is configured")


@command.command("full")
@_name_argument
@answering
def full(session: Session, name: str) -> Answer:
    """Write all files again, with a full manifest."""
    if _one(session, name).subscription.kind is not SubscriptionKind.FILES:
        raise CommandExit(f"{name} is a webhook; only files are written in full")
    return _change(session, name, lambda admin: admin.write_full(name), "is written in full next")


@command.command("secret")
@_name_argument
@answering
def secret(session: Session, name: str) -> Answer:
    """Print the secret that signs a webhook's requests."""
    return _secret_answer(session, _webhook(session, name))


@command.command("rotate-secret")
@_name_argument
@yes_option
@answering
def rotate_secret(session: Session, name: str, yes: bool) -> Answer:
    """Give a webhook a new secret and print it; for 24 hours the previous one signs as well."""
    _master_secret(session)
    _webhook(session, name)
    confirm(f"Sign with a new secret from now on, and in 24 hours with that alone: {name}?", yes=yes)
    after = _admin(session).rotate(name)
    if after is None:
        raise _removed(name)
    return _secret_answer(session, after.subscription)


@command.command("remove")
@_name_argument
@yes_option
@answering
def remove(session: Session, name: str, yes: bool) -> Answer:
    """Remove a subscription; its written files stay. It asks."""
    _one(session, name)
    confirm(f"Remove {name}? Its pending changes are never sent.", yes=yes)
    if not session.pipeline.store.subscriptions.remove(name):
        raise _removed(name)
    return Answer({"removed": name}, f"{name} is removed")


def _chosen(choices: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in choices.items() if value is not None}


def _register(session: Session, made: Subscription) -> None:
    if session.pipeline.store.partners.one(made.partner) is None:
        raise CommandExit(f"there is no partner {made.partner}: see `schedules-pipeline partners list`")
    with usage_errors():
        is_new = _admin(session).register(made)
    if not is_new:
        raise CommandExit(f"there is a subscription {made.name} already: remove it, or use another --name")


def _change(
    session: Session, name: str, change: Callable[[SubscriptionAdmin], Standing | None], done: str
) -> Answer:
    _one(session, name)
    after = change(_admin(session))
    if after is None:
        raise _removed(name)
    return Answer(_fields(session, after), f"{name} {done}")


def _removed(name: str) -> CommandExit:
    return CommandExit(f"{name} was removed by another operator")


def _admin(session: Session) -> SubscriptionAdmin:
    return SubscriptionAdmin(session.pipeline.store, session.pipeline.clock)


def _one(session: Session, name: str) -> Standing:
    store = session.pipeline.store.subscriptions
    found = store.one(name)
    if found is None:
        names = [standing.subscription.name for standing in store.all()]
        known = did_you_mean(name, names, "schedules-pipeline push list")
        raise CommandExit(f"there is no subscription {name}: {known}")
    return found


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


def _secret(session: Session, subscription: Subscription) -> str:
    return render_secret(derive_secret(_master_secret(session), subscription, subscription.generation))


def _secret_answer(session: Session, subscription: Subscription) -> Answer:
    text = _secret(session, subscription)
    fields = {"name": subscription.name, "generation": subscription.generation, "secret": text}
    return Answer(fields, text)


def _extent(session: Session, since: str) -> FeedCursor:
    """Raises :class:`InvalidIdentifier` if the text is neither a cursor nor an instant."""
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        return parse_cursor(since)
    if at.tzinfo is None:
        raise InvalidIdentifier(f"{since!r} has no time zone: add one, for example Z for UTC")
    epoch = session.pipeline.store.coldstarts.epoch()
    return FeedCursor(
        epoch.id if epoch else "", session.pipeline.store.feed.position_before(at.astimezone(UTC))
    )


def _fields(session: Session, standing: Standing) -> Mapping[str, Any]:
    return describe(standing, session.pipeline.store, session.now())
