"""The client library holds what the delivery service publishes, and reads it as the service would."""

import logging
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from client.partners import ADDRESS, changing, client_of, held, published
from delivery_stage import DeliveryStage
from schedules_client import (
    Client,
    KeyRejected,
    LocalCopy,
    SchedulesError,
    StoreError,
    StoreInUse,
    Unavailable,
)
from schedules_client.exchange import failure_of
from toy_world import KEYS, ScheduleRemoved

from docs.site.pages import REPOSITORY

_KEY = "sk_secretpart_0123456789"


@pytest.mark.parametrize("seed", range(5))
def test_copy_is_what_is_published(seed: int, tmp_path: Path) -> None:
    """After random changes, a removal, a new feed that refuses every cursor, and failures of the network."""
    stage = DeliveryStage(seed)
    client, transport = client_of(stage, tmp_path / "schedules.db")
    for number in changing(stage, seed, 6):
        if number == 3:
            stage.publish([ScheduleRemoved(KEYS[0])])
            stage.store.coldstarts.renew_epoch("another")
            stage.keep_up()
        transport.failures = [None, 503] if number % 2 else []
        changed = client.sync()

        assert held(client) == published(stage)
        assert {(change.sid, change.date) for change in changed} <= {(key.sid, key.date) for key in KEYS}
    client.close()


def test_each_request_is_authorised_and_names_the_library(tmp_path: Path) -> None:
    """By the header that the interface asks for."""
    stage = DeliveryStage()
    client, transport = client_of(stage, tmp_path / "schedules.db")

    with client:
        client.sync()

    assert all(request.headers["Authorization"].startswith("Bearer sk_") for request in transport.asked)
    assert all(request.headers["User-Agent"].startswith("schedules-client") for request in transport.asked)


def test_the_key_is_shown_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the representation, the errors with everything that they came from, the log of any level, or the file."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    with Client(tmp_path / "schedules.db", url="http://127.0.0.1:9", key=_KEY) as client:
        shown.append(repr(client))
        with pytest.raises(Unavailable, match=r"cannot reach http://127\.0\.0\.1:9") as caught:
            client.sync(give_up_seconds=0)
    error: BaseException | None = caught.value
    while error is not None:
        shown += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    shown += [record.getMessage() for record in caplog.records]
    shown.append(str(failure_of(httpx.ReadTimeout("late", request=httpx.Request("GET", ADDRESS)))))

    assert "secretpart" not in "".join(shown)
    assert all(_KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_rejected_key_is_said_so(tmp_path: Path) -> None:
    """At the first answer, and the copy stays readable."""
    stage = DeliveryStage()
    client, transport = client_of(stage, tmp_path / "schedules.db")
    client.sync()
    transport.failures = [401]

    with pytest.raises(KeyRejected, match="SCHEDULES_API_KEY"):
        client.sync()

    assert held(client) == published(stage)
    client.close()


def test_a_copy_has_one_writer_and_any_readers(tmp_path: Path) -> None:
    """A second loop is refused for as long as the first one lives; a reader is not."""
    stage = DeliveryStage()
    list(changing(stage, 1, 3))
    client, _ = client_of(stage, tmp_path / "schedules.db")
    other, _ = client_of(stage, tmp_path / "schedules.db")
    following = client.follow(streams=False)
    next(following)

    with pytest.raises(StoreInUse, match="kept current already"):
        other.sync()
    assert LocalCopy(tmp_path / "schedules.db").services()
    following.close()
    other.sync()

    assert held(other) == published(stage)
    client.close()
    other.close()


def test_a_program_that_was_stopped_misses_no_change(tmp_path: Path) -> None:
    """It passes the last revision that it has processed."""
    stage = DeliveryStage()
    list(changing(stage, 2, 6))
    client, _ = client_of(stage, tmp_path / "schedules.db")
    with closing(client.follow(streams=False)) as following:
        first = next(following)

    with client:
        rest = client.follow(after=first.revision, streams=False)
        seen = [first, *(next(rest) for _ in range(len(published(stage)) - 1))]

    assert {f"{change.sid}/{change.date}" for change in seen} == published(stage).keys()


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    """A database of another program, a file that is none, and a directory that does not exist."""
    other, text = tmp_path / "other.db", tmp_path / "notes.txt"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (value)")
    database.close()
    text.write_text("not a database " * 100)

    for path in (other, text, tmp_path / "absent/schedules.db"):
        with pytest.raises(StoreError, match=str(path)):
            LocalCopy(path)

    assert text.read_text().startswith("not a database")


def test_unknown_fields_are_kept(tmp_path: Path) -> None:
    """A later release of the service may add fields: they are in the raw document, and nothing else changes."""
    stage = DeliveryStage()
    list(changing(stage, 1, 3))
    client, _ = client_of(stage, tmp_path / "schedules.db")
    client.sync()
    with sqlite3.connect(tmp_path / "schedules.db") as database:
        database.execute("UPDATE schedules SET document = json_set(document, '$.later', 7)")
    database.close()

    (schedule, *_) = client.schedules()

    assert schedule.raw["later"] == 7
    client.close()


def test_services_and_what_is_on_are_as_the_service_says(tmp_path: Path) -> None:
    """At the edges of broadcasts and days, in gaps, and before and after everything."""
    stage = DeliveryStage()
    list(changing(stage, 2, 6))
    client, _ = client_of(stage, tmp_path / "schedules.db")
    client.sync()
    instants = {
        each
        for schedule in client.schedules()
        for one in schedule.broadcasts
        for each in (one.start, one.end)
    }
    instants |= {at + timedelta(seconds=90) for at in instants} | {datetime(2026, 3, 20, tzinfo=UTC)}

    services = [
        (one.sid, one.name, one.is_radio, str(one.first_date), str(one.last_date), one.schedules)
        for one in client.services()
    ]
    names = ("sid", "name", "is_radio", "first_date", "last_date", "schedules")
    assert services == [
        tuple(one[name] for name in names) for one in stage.client().get("/v1/services").json()["services"]
    ]
    for at in instants:
        query = {"at": at.isoformat().replace("+00:00", "Z"), "count": "3"}
        answer = stage.client().get("/v1/now-next", params=query).json()["services"]
        assert [
            (one.service.sid, one.now and one.now.raw, [each.raw for each in one.next])
            for one in client.now_next(at, count=3)
        ] == [(one["sid"], one["now"], one["next"]) for one in answer]
    client.close()


def test_an_instant_has_a_zone(tmp_path: Path) -> None:
    """A local time is not guessed at."""
    with pytest.raises(ValueError, match="time zone"):
        LocalCopy(tmp_path / "schedules.db").now_next(datetime(2026, 3, 28))  # noqa: DTZ001
    assert LocalCopy(tmp_path / "schedules.db").schedule("alder", date(2026, 3, 28)) is None


def test_every_error_has_one_root() -> None:
    """``except SchedulesError`` is enough."""
    assert issubclass(StoreInUse, SchedulesError)


def test_the_library_knows_nothing_of_the_pipeline() -> None:
    """Its wheel is installed without it."""
    source = REPOSITORY / "clients/python/src/schedules_client"
    assert not [path for path in source.glob("*.py") if "schedules_pipeline" in path.read_text()]
