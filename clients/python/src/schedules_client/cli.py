"""The command ``schedules-client``: keeps a local copy current, reads it, and writes XMLTV from it."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from schedules_client.client import Client
from schedules_client.errors import SchedulesError, StoreError
from schedules_client.exchange import DEFAULT_STORE, SYNC_SECONDS
from schedules_client.local_copy import LocalCopy
from schedules_client.model import Broadcast, Change
from schedules_client.xmltv import XmltvOptions

_FAILED, _INTERRUPTED = 1, 130
_DESCRIPTION = "Keeps a local copy of the schedules current, reads it, and writes XMLTV from it."
_ENVIRONMENT = "The operators tell the address and the key: SCHEDULES_DELIVERY_URL and SCHEDULES_API_KEY."


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 after an error, which is on standard error."""
    logging.basicConfig(format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except (SchedulesError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # The reader of a pipe has ended, such as `head`. Python would complain when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"error: {_said(error)}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _said(error: SchedulesError | OSError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="schedules-client", description=_DESCRIPTION, epilog=_ENVIRONMENT)
    parser.add_argument(
        "--store", type=Path, default=DEFAULT_STORE, help="the file of the local copy (default: %(default)s)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    sync = commands.add_parser(
        "sync", help="make the copy equal to what is published now", epilog=_ENVIRONMENT
    )
    sync.add_argument(
        "--give-up",
        type=float,
        default=SYNC_SECONDS,
        metavar="SECONDS",
        help="after failures (default: %(default)s)",
    )
    sync.set_defaults(run=_sync)

    follow = commands.add_parser("follow", help="keep the copy current until Ctrl-C", epilog=_ENVIRONMENT)
    follow.add_argument("--poll", action="store_true", help="for networks that hold back streams")
    follow.set_defaults(run=_follow)

    _add_xmltv(commands.add_parser("xmltv", help="write a guide from the copy"))

    show = commands.add_parser("show", help="print what is on, the days of a service, or a schedule")
    show.add_argument("sid", nargs="?")
    show.add_argument("date", nargs="?", type=date.fromisoformat)
    show.add_argument(
        "--json", action="store_true", help="the documents as the service gave them, one a line"
    )
    show.set_defaults(run=_show)
    return parser


def _add_xmltv(xmltv: argparse.ArgumentParser) -> None:
    xmltv.add_argument("file", type=Path, help="replaced when the new guide is complete")
    xmltv.add_argument("--sid", action="append", help="only this service; may be repeated")
    xmltv.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DATE", help="the first day")
    xmltv.add_argument(
        "--to", dest="last", type=date.fromisoformat, metavar="DATE", help="the last day, included"
    )
    xmltv.add_argument(
        "--domain", default=XmltvOptions().domain, help="ends the ids of channels (default: %(default)s)"
    )
    xmltv.add_argument(
        "--images", default="", metavar="TEMPLATE", help="address of an image, with {image_pid} in it"
    )
    xmltv.set_defaults(run=_xmltv)


def _sync(options: argparse.Namespace) -> None:
    with Client(options.store) as client:
        changes = client.sync(give_up_seconds=options.give_up)
        services = client.services()
        removed = sum(change.removed for change in changes)
        print(
            f"{sum(service.schedules for service in services)} schedules of {len(services)} services are in "
            f"{options.store}: {len(changes) - removed} new or changed, {removed} removed"
        )


def _follow(options: argparse.Namespace) -> None:
    with Client(options.store) as client:
        for change in client.follow(streams=not options.poll):
            print(_told(change), flush=True)


def _told(change: Change) -> str:
    return f"{change.sid}/{change.date} " + ("removed" if change.removed else f"seq {change.seq}")


def _xmltv(options: argparse.Namespace) -> None:
    copy = _existing(options.store)
    copy.write_xmltv(
        options.file,
        sids=options.sid,
        first=options.first,
        last=options.last,
        options=XmltvOptions(options.domain, options.images),
    )
    print(f"{options.file} is written")


def _show(options: argparse.Namespace) -> None:
    copy = _existing(options.store)
    if options.json:
        for document in copy.schedules(options.sid, first=options.date, last=options.date):
            print(json.dumps(document.raw, ensure_ascii=False))
    elif options.sid is None:
        for found in copy.now_next():
            print(f"{found.service.name}: {_titled(found.now)}; next {_titled(next(iter(found.next), None))}")
    else:
        schedules = list(copy.schedules(options.sid, first=options.date, last=options.date))
        if not schedules:
            day = f" of {options.date}" if options.date else ""
            raise StoreError(
                f"the copy has no schedule{day} of {options.sid}; `schedules-client show` lists the services"
            )
        for schedule in schedules:
            print(
                f"{schedule.sid}/{schedule.date} seq {schedule.seq}, published {_clock(schedule.published_at)} UTC"
            )
            for broadcast in schedule.broadcasts if options.date else ():
                print(f"  {_clock(broadcast.start)}  {_titled(broadcast)}")


def _existing(path: Path) -> LocalCopy:
    if not path.exists():
        raise StoreError(f"there is no copy at {path}: run `schedules-client --store {path} sync` first")
    return LocalCopy(path)


def _titled(broadcast: Broadcast | None) -> str:
    if broadcast is None:
        return "nothing"
    return ": ".join(filter(None, (broadcast.title, broadcast.subtitle))) or "(not known)"


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
