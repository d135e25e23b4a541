"""A schedule's page in the guide, and two of its versions side by side, over HTTP."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from builders import a_change, a_hold
from delivery.asking import Stage, document_of
from delivery.guides import ALDER, BIRCH, NOON, TODAY, key, schedule, showing

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.expectations import Expectation, ExpectedRange, Measure
from schedules_pipeline.publishing.ports.losses import Decision, Verdict
from schedules_pipeline.settings import Settings

_PAGE = f"/guide/{ALDER}/{TODAY}"
_CAUSE = Cause("event-1", Origin.CATALOGUE, "b0000001", NOON - timedelta(seconds=2), ("title",))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Three versions of a schedule, of which the store keeps the last two; one broadcast is over, one is on air."""
    stage = Stage(settings=Settings(dagster_url="https://dagster.example/"))
    shown = [showing(n, NOON + timedelta(minutes=30 * n - 40)) for n in range(4)]
    versions = {
        2: schedule(key(), shown[:3], seq=2),
        3: schedule(key(), [replace(shown[0], title="The Weir"), *shown[1:]], seq=3),
    }
    rows = [
        a_change(key(), seq, published_at=NOON - timedelta(hours=age), causes=(_CAUSE,), cause_count=1)
        for seq, age in ((3, 1), (2, 26), (1, 30))
    ]
    documents = {seq: document_of(version) for seq, version in versions.items()}
    monkeypatch.setattr(stage.store.versions, "versions", lambda asked: rows if asked == key() else [])
    monkeypatch.setattr(stage.store.versions, "replaced", lambda _, seq: documents.get(seq))
    stage.publish(versions[3])
    return stage


def _as_operator(stage: Stage, path: str = _PAGE) -> str:
    return stage.ask_as("operator", is_operator=True).get(path).text


def test_a_day_opens_at_now(stage: Stage) -> None:
    """What is over is folded away, without a script; a day that is over is shown in full."""
    today = stage.client.get(_PAGE).text
    stage.advance(timedelta(days=1))
    afterwards = stage.client.get(_PAGE).text

    assert "1 earlier broadcast, from 11:20" in today
    later = today.partition('id="now"')[2]
    assert re.findall(r'id="b-(w\d+)"', later) == ["w0000001", "w0000002", "w0000003"]
    assert "earlier broadcast" not in afterwards


def test_an_operator_reads_what_is_held_and_how_to_decide(stage: Stage) -> None:
    """With the commands, until a decision is made; a schedule that is not held says so."""
    before = _as_operator(stage)
    stage.store.losses.hold({key(): a_hold(key(), id="loss-1")})
    held = _as_operator(stage)
    stage.store.losses.decide({key(): Decision("loss-1", "abc", Verdict.REJECTED, NOON)})
    decided = _as_operator(stage)

    assert "Not held" in before
    assert "<strong>5.0 h</strong> of airtime to come" in held
    assert "holds confirm <span>loss-1</span>" in held
    assert "holds reject <span>loss-1</span>" in held
    assert "holds confirm" not in decided
    assert "An operator has rejected it." in decided


@pytest.mark.parametrize(
    ("high", "heading"), [(9.0, "Within the expected range"), (3.0, "Outside the expected range: broadcasts")]
)
def test_an_operator_reads_what_is_expected(stage: Stage, high: float, heading: str) -> None:
    """The day's measures beside the ranges of the service; what lies outside is named in the heading."""
    ranges = {Measure.BROADCASTS: ExpectedRange(1.0, high, 8), Measure.REPEATS: ExpectedRange(0.0, 0.5, 8)}
    stage.store.expectations.keep({ALDER: Expectation(NOON, (), {}, ranges)})

    page = _as_operator(stage)

    assert heading in page
    assert re.search(rf"<td>4(<span[^>]*>, outside</span>)?</td><td>1 to {high:.0f}</td>", page)
    assert "0 % to 50 %" in page
    assert "learned from 8 days" in page


def test_an_operator_is_led_to_dagster(stage: Stage) -> None:
    """To the schedule's partition; a partner is not, and nobody is without its address."""
    address = (
        f"https://dagster.example/assets/partner_schedule?view=partitions&amp;partition={TODAY}%7C{ALDER}"
    )

    assert address in _as_operator(stage)
    assert "dagster.example" not in stage.client.get(_PAGE).text
    without = Stage()
    without.publish(schedule(key(), [showing(1, NOON)]))
    assert "Dagster" not in _as_operator(without)


def test_what_changed_stands_side_by_side(stage: Stage) -> None:
    """By default the latest version and the one before it, with the cause for operators."""
    page = _as_operator(stage, f"{_PAGE}/versions")

    assert "from version 2 to version 3" in page
    assert "<strong>1</strong> changed, <strong>1</strong> added, <strong>0</strong> removed, 2 equal" in page
    assert "<ins>Weir</ins>" in page
    assert "event-1" in page
    assert f'{_PAGE}/versions?before=2&amp;after=3">Now against this time yesterday' in page


def test_no_text_of_a_version_becomes_markup(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs is marked by the page's own elements, around escaped text."""
    hostile = document_of(schedule(key(), [showing(1, NOON, title="<script>alert(1)</script> <ins>\x00")]))
    monkeypatch.setattr(stage.store.versions, "replaced", lambda *_: hostile)

    page = _as_operator(stage, f"{_PAGE}/versions")

    assert "<script>alert" not in page
    assert "&lt;ins&gt;" in page
    assert "\x00" not in page


def test_a_partner_compares_what_it_was_served(stage: Stage) -> None:
    """Without causes, and only of its own services."""
    page = stage.client.get(f"{_PAGE}/versions?before=2&after=3")
    day = stage.client.get(_PAGE).text
    rejected = stage.ask_as("narrow", ("birch_*",)).get(f"{_PAGE}/versions")

    assert "<ins>Weir</ins>" in page.text
    assert "event-1" not in page.text
    assert f"{_PAGE}/versions?after=3" in day
    assert "event-1" not in day
    assert rejected.status_code == 404


def test_a_document_that_is_no_longer_kept_is_said_to_be_gone(stage: Stage) -> None:
    """The page names the version; one that was never listed is not found."""
    gone = stage.client.get(f"{_PAGE}/versions?after=2")

    assert "The document of version 1 is no longer kept" in gone.text
    assert "<table" not in gone.text
    assert stage.client.get(f"{_PAGE}/versions?after=9").status_code == 404
    assert stage.client.get(f"/guide/{BIRCH}/{TODAY}/versions").status_code == 404


def test_the_first_version_is_compared_with_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is new."""
    document = document_of(schedule(key(), [showing(1, NOON)]))
    monkeypatch.setattr(stage.store.versions, "replaced", lambda *_: document)

    page = stage.client.get(f"{_PAGE}/versions?after=1").text

    assert "from nothing to version 1" in page
    assert "<strong>1</strong> added" in page


def test_without_the_store_versions_cannot_be_compared(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says so with a status that machines understand, and offers to try again."""

    def reject(*_: object) -> None:
        raise ServiceError("away")

    monkeypatch.setattr(stage.store.versions, "versions", reject)

    unavailable = stage.client.get(f"{_PAGE}/versions?after=3&before=2")

    assert unavailable.status_code == 503
    assert f'href="{_PAGE}/versions?after=3&amp;before=2">Try again' in unavailable.text
    assert "Try again</a>" not in stage.client.get("/guide?date=2026-02-30").text


def test_broadcasts_after_midnight_stand_under_their_day(stage: Stage) -> None:
    """Also in the dialog, between versions and among the hits of a search no time is without its day."""
    midnight = NOON + timedelta(hours=12)
    half = timedelta(minutes=30)
    shown = [
        showing(n, at) for n, at in enumerate((NOON, midnight - half, midnight, midnight + half), start=1)
    ]
    stage.publish(schedule(key(), shown, seq=4))

    day = stage.client.get(_PAGE).text
    dialog = stage.client.get(f"/guide/broadcast?sid={ALDER}&date={TODAY}&pid=w0000003").text
    found = stage.client.get("/guide?q=lantern").text
    grid = stage.client.get("/guide").text

    assert "Tuesday 10 March 2026, 06:00 to Wed 06:00" in day
    listed = re.findall(r'id="b-(w\d+)"|class="between midnight">([^<]*)<', day)
    assert listed[-3:] == [("", "Wednesday 11 March 2026"), ("w0000003", ""), ("w0000004", "")]
    assert sum(bool(heading) for _, heading in listed) == 1
    assert "Wednesday 11 March 2026, 00:00 to 00:30" in dialog
    assert re.search(r"23:30</time> to Wed 00:00", found)
    assert re.search(r"Wed 00:00</time> to 00:30", found)
    assert "00:00 Wed 11 Mar</span>" in grid


def test_what_is_not_found_leads_to_what_is(stage: Stage) -> None:
    """An unknown service, a day without a schedule, and a version that never was are three things."""
    stage.publish(schedule(key(days=2), [showing(5, NOON)]))

    service = stage.client.get(f"/guide/nowhere/{TODAY}")
    day = stage.client.get(f"/guide/{ALDER}/{key(days=1).date}")
    version = stage.client.get(f"{_PAGE}/versions?after=9")

    assert [answer.status_code for answer in (service, day, version)] == [404] * 3
    assert "There is no service nowhere." in service.text
    assert "No schedule of Alder One was published for Wednesday 11 March 2026." in day.text
    assert re.findall(r'href="(/guide/[^"]*)"', day.text) == [_PAGE, f"/guide/{ALDER}/{key(days=2).date}"]
    assert "There is no version 9 of" in version.text
    assert f'href="{_PAGE}/versions"' in version.text
