"""``schedules-pipeline partners link`` and ``sign-out``: sessions of the programme guide."""

from datetime import timedelta
from typing import Final

import click

from schedules_pipeline.cli.answer import Answer, answering, line
from schedules_pipeline.cli.arguments import PARTNER
from schedules_pipeline.cli.session import CommandExit, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.partners.sign_in import LINK_LASTS, LONGEST_LINK, SignInLink, new_token, token_digest

_MINUTE: Final = timedelta(minutes=1)


@click.command("link")
@click.argument("name", type=PARTNER)
@click.option("--address", default="", help="The service's address, such as https://guide.example.org.")
@click.option(
    "--minutes",
    type=click.IntRange(1, LONGEST_LINK // _MINUTE),
    default=LINK_LASTS // _MINUTE,
    show_default=True,
    help="How long the link works.",
)
@answering
def link(session: Session, name: str, address: str, minutes: int) -> Answer:
    """Print a link that opens the programme guide signed in as a partner. It works once.

    The reader is asked to confirm the partner. The session lasts seven days, and ends when the partner is removed or
    by `partners sign-out`.
    """
    store, now, token = session.pipeline.store, session.now(), new_token()
    if store.partners.one(name) is None:
        raise CommandExit(f"there is no partner {name}: `schedules-pipeline partners list`")
    expires_at = now + minutes * _MINUTE
    if digest := token_digest(token):
        store.sign_ins.add_link(digest, SignInLink(name, expires_at), now)
    text = f"{address.rstrip('/')}/sign-in#link={token}"
    after = "" if address else ", after the service's address"
    return Answer(
        {"partner": name, "link": text, "expires_at": expires_at},
        [f"this link works once, until {expires_at:%H:%M} UTC{after}:", line(text, "bold")],
    )


@click.command("sign-out")
@click.argument("name", type=PARTNER)
@answering
def sign_out(session: Session, name: str) -> Answer:
    """End all sessions of the programme guide and open links of a partner, within seconds. Its keys stay valid."""
    ended = session.pipeline.store.sign_ins.end_all(name)
    what = counted(ended, "session or link", "sessions and links")
    return Answer({"partner": name, "ended": ended}, f"ended {what} of {name}")
