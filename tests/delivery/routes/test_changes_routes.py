"""The digest, and the changes feed in pages."""

from datetime import timedelta

import pytest
from delivery.routes.changes_feed import (
    ALDER,
    FEED,
    SLOTS,
    STREAM,
    cursor_at,
    get_json,
    rows_of,
    stage_with_feed,
)
from delivery_stage import DeliveryStage
from toy_world import SchedulePut

from schedules_pipeline.documents.cursors import parse_cursor
from schedules_pipeline.errors import ServiceError


@pytest.fixture
def stage() -> DeliveryStage:
    return stage_with_feed()


_ALL = [
    ("alder/2026-03-28", 1, False),
    ("alder/2026-03-29", 1, False),
    ("birch_radio/2026-03-28", 1, False),
    ("alder/2026-03-28", 2, False),
    ("alder/2026-03-29", 2, True),
]


def test_digest_has_every_version_and_where_to_go_on(stage: DeliveryStage) -> None:
    """The digest tells every service and day, removals too, and the cursor is after all of it."""
    digest = get_json(stage, "/v1/digest")

    told = {
        (f"{sid}/{day['date']}", day["seq"], day["removed"])
        for sid, days in digest["services"].items()
        for day in days
    }
    assert told == {_ALL[2], _ALL[3], _ALL[4]}
    assert get_json(stage, FEED, since=digest["cursor"])["changes"] == []
    document = stage.client().get("/v1/schedules/alder/2026-03-28").json()
    entry = digest["services"]["alder"][0]
    assert (entry["etag"], entry["seq"]) == (document["etag"], document["seq"])


def test_digest_is_cut_to_services_and_days(stage: DeliveryStage) -> None:
    """Who names services or days gets those alone."""
    by_sid = get_json(stage, "/v1/digest", sid="birch_radio")["services"]
    by_day = get_json(stage, "/v1/digest", **{"from": "2026-03-29", "to": "2026-03-29"})["services"]

    assert list(by_sid) == ["birch_radio"]
    assert {sid: [day["date"] for day in days] for sid, days in by_day.items()} == {
        "alder": ["2026-03-29"],
        "birch_radio": [],
    }


def test_digest_follows_what_is_published(stage: DeliveryStage) -> None:
    """A digest that was asked for before is another one once something is published."""
    before = stage.client().get("/v1/digest").json()
    stage.publish([SchedulePut(ALDER, SLOTS, 9)])
    stage.follow()

    after = stage.client().get("/v1/digest").json()

    key = str(ALDER.sid), ALDER.date.isoformat()
    versions = [
        {(sid, day["date"]): day["seq"] for sid, days in digest["services"].items() for day in days}[key]
        for digest in (before, after)
    ]
    assert versions[1] == versions[0] + 1
    assert before["cursor"] != after["cursor"]


def test_digest_that_is_held_is_not_sent_again(stage: DeliveryStage) -> None:
    """While nothing changes, the digest is 304; its age is asked about each time."""
    first = stage.client().get("/v1/digest")

    again = stage.client().get("/v1/digest", headers={"If-None-Match": first.headers["etag"]})
    stage.publish([SchedulePut(ALDER, SLOTS, 9)])
    stage.keep_up()
    later = stage.client().get("/v1/digest", headers={"If-None-Match": first.headers["etag"]})

    assert [again.status_code, later.status_code] == [304, 200]
    assert "max-age=0" in first.headers["cache-control"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 1_000])
def test_pages_of_any_size_give_every_row_once(stage: DeliveryStage, limit: int) -> None:
    """With any page size, a reader that follows the cursors gets every row once, in order, and is told where the feed
    ends.
    """
    since, has_more = cursor_at(0), True
    rows: list[tuple[str, int, bool]] = []
    while has_more:
        page = get_json(stage, FEED, since=since, limit=limit)
        assert len(page["changes"]) <= limit
        rows, since, has_more = rows + rows_of(page), page["cursor"], page["more"]

    assert rows == _ALL
    assert parse_cursor(since) == stage.delivery.mirror.cursor


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_rows_that_are_too_old_for_memory_come_from_the_store(stage: DeliveryStage, limit: int) -> None:
    """A process that has just begun gives all that the store has, page by page."""
    stage.clock.advance(timedelta(hours=5))
    stage.begin_delivery()

    since, has_more = cursor_at(0), True
    rows: list[tuple[str, int, bool]] = []
    while has_more:
        page = get_json(stage, FEED, since=since, limit=limit)
        rows, since, has_more = rows + rows_of(page), page["cursor"], page["more"]

    assert stage.delivery.tail.after("0", 1) is None
    assert rows == _ALL


def test_partner_gets_rows_of_its_services(stage: DeliveryStage) -> None:
    """Rows of other services are passed over, and not counted as more."""
    page = get_json(stage, FEED, "birch-only", since=cursor_at(0), limit=1)

    assert (rows_of(page), page["more"]) == ([_ALL[2]], False)
    assert parse_cursor(page["cursor"]) == stage.delivery.mirror.cursor


def test_page_looks_at_so_many_rows(stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request looks at a bounded number of rows; who sees few services may get an empty page that has more."""
    for module in ("schedules_pipeline.delivery.changes", "schedules_pipeline.delivery.routes.changes"):
        monkeypatch.setattr(f"{module}.SCANNED_AT_ONCE", 2)

    first = get_json(stage, FEED, "birch-only", since=cursor_at(0))
    second = get_json(stage, FEED, "birch-only", since=first["cursor"])

    assert (first["changes"], first["more"]) == ([], True)
    assert rows_of(second) == [_ALL[2]]


def test_nothing_is_told_that_cannot_be_fetched_yet(stage: DeliveryStage) -> None:
    """A row that the mirror has not taken in is told later, though the store has it."""
    stage.clock.advance(timedelta(hours=5))
    stage.begin_delivery()
    stage.publish([SchedulePut(ALDER, SLOTS, 9)])

    before = get_json(stage, FEED, since=cursor_at(0))
    stage.follow()
    after = get_json(stage, FEED, since=before["cursor"])

    assert rows_of(before) == _ALL
    assert rows_of(after) == [("alder/2026-03-28", 3, False)]


def test_version_can_be_read_where_the_row_says(stage: DeliveryStage) -> None:
    """The address in a row is that of the version, or of a later one."""
    row = get_json(stage, FEED, since=cursor_at(3))["changes"][0]

    answer = stage.client().get(row["href"]).json()

    assert (answer["seq"], answer["etag"], answer["published_at"][:19]) == (
        row["seq"],
        row["etag"],
        row["published_at"][:19],
    )
    assert row["broadcasts"] == len(answer["broadcasts"])


def test_cursor_too_old_is_told_where_to_begin(stage: DeliveryStage) -> None:
    """Where rows after a cursor are gone, the answer is 410 with the digest's address, and its cursor holds."""
    stage.clock.advance(timedelta(hours=5))
    stage.store.feed.trim(stage.clock())
    stage.begin_delivery()

    answer = stage.client().get(FEED, params={"since": cursor_at(2)})

    assert (answer.status_code, answer.json()["digest"]) == (410, "/v1/digest")
    assert answer.json()["type"] == "/problems/cursor-too-old"
    assert get_json(stage, FEED, since=get_json(stage, "/v1/digest")["cursor"])["changes"] == []


def test_cursor_at_the_end_is_never_too_old(stage: DeliveryStage) -> None:
    """A reader at the end of the feed has missed no row, even if all rows are trimmed."""
    stage.clock.advance(timedelta(days=30))
    stage.store.feed.trim(stage.clock())
    stage.begin_delivery()

    assert get_json(stage, FEED, since=cursor_at(5))["changes"] == []


@pytest.mark.parametrize("path", [FEED, STREAM])
def test_cursor_of_another_keyspace_is_gone(stage: DeliveryStage, path: str) -> None:
    """A cursor of a lost keyspace has no meaning in the new one."""
    answer = stage.client().get(path, params={"since": cursor_at(2, "lost")})

    assert (answer.status_code, answer.json()["digest"]) == (410, "/v1/digest")


@pytest.mark.parametrize("since", ["", "x", "MXwyfA==", "é", "0", "A" * 201])
def test_what_is_no_cursor_is_rejected(stage: DeliveryStage, since: str) -> None:
    """A text that was never given as a cursor is a bad request, and no defect."""
    answers = [stage.client().get(FEED, params={"since": since})]
    if since.isascii() and since:
        answers.append(stage.client().get(STREAM, headers={"Last-Event-ID": since}))

    assert {answer.status_code for answer in answers} == {400}


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1_001}, {"wait": -1}, {"wait": 56}, {"wait": "long"}]
)
def test_pages_have_limits(stage: DeliveryStage, query: dict[str, object]) -> None:
    """Neither the size of a page nor the time to wait can be more than is said."""
    answer = stage.client().get(FEED, params={"since": cursor_at(0), **query})  # type: ignore[dict-item]

    assert answer.status_code == 400


def test_old_rows_cannot_be_told_without_the_store(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the store has is 503 while it is away; the latest rows are told all the same."""

    def fail(*_: object) -> None:
        raise ServiceError("away")

    stage.clock.advance(timedelta(hours=5))
    stage.begin_delivery()
    monkeypatch.setattr(stage.store.feed, "read_after", fail)

    statuses = [stage.client().get(FEED, params={"since": cursor_at(since)}).status_code for since in (2, 5)]

    assert statuses == [503, 200]
