"""The guide over HTTP: the contents of its pages, and contents that they must not have."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from builders import a_change
from delivery.asking import Stage
from delivery.guides import ALDER, BIRCH, EPISODE, NOON, TODAY, key, schedule, showing

from schedules_pipeline.delivery.guide.grid import MOST_BLOCKS
from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.schedule import QuarantinedBroadcast, describe_quarantined
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.publishing.ports.feed import FeedEntry
from schedules_pipeline.settings import Settings

_HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \x00\x1b[31m\u202e\"'&"
_LINKS = re.compile(r'(?:href|src|action)="([^"]*)"')


class _Inventory(HTMLParser):
    """Which elements and attributes there are, and whether scripts and styles stand in the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "style" or (tag == "script" and "src" not in dict(attrs)):
            self.inline.append(tag)


@pytest.fixture
def stage() -> Stage:
    """Two services with a schedule each, today; a showing of the first is on air."""
    stage = Stage(settings=Settings(image_url_template="https://images.example/{image_pid}.jpg"))
    stage.publish(
        schedule(key(), [showing(1, NOON - timedelta(minutes=10)), showing(2, NOON + timedelta(minutes=30))]),
        schedule(key(BIRCH), [showing(3, NOON, title="The Weir")]),
    )
    return stage


def _note_change(stage: Stage, sid: Sid = ALDER, minutes_ago: int = 1) -> None:
    at = NOON - timedelta(minutes=minutes_ago)
    cause = Cause("event-1", Origin.CATALOGUE, EPISODE, at - timedelta(seconds=1), ("title",))
    change = a_change(
        ScheduleKey(sid, TODAY),
        etag="etag",
        published_at=at,
        source_changed=False,
        causes=(cause,),
        cause_count=1,
    )
    stage.delivery.tail.extend([FeedEntry("9-0", change)])


_PAGES = [
    "/guide",
    "/guide?q=lantern",
    f"/guide/rows?sid={ALDER}&like={ALDER}&date={TODAY}",
    "/guide/changes",
    f"/guide/broadcast?sid={ALDER}&date={TODAY}&pid=w0000001",
    f"/guide/{ALDER}/{TODAY}",
    "/sign-in",
]


@pytest.mark.parametrize("path", _PAGES)
def test_no_text_of_an_upstream_becomes_markup(stage: Stage, path: str) -> None:
    """Titles, synopses and warnings that hold markup are shown as text, and control characters as a sign."""
    shown = showing(1, NOON, title=_HOSTILE)
    assert shown.episode is not None
    episode = replace(shown.episode, synopses=Synopses(_HOSTILE, _HOSTILE, _HOSTILE), warning_text=_HOSTILE)
    stage.publish(schedule(key(), [replace(shown, title=f"Lantern {_HOSTILE}", episode=episode)], seq=2))

    page = stage.ask_as("operator", is_operator=True).get(path).text

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)


@pytest.mark.parametrize("path", _PAGES)
def test_every_page_keeps_to_the_policy_that_is_sent_with_it(stage: Stage, path: str) -> None:
    """No style or script stands in a page, no handler in an attribute; so the policy can forbid all of them."""
    response = stage.client.get(path)

    inventory = _Inventory(response.text)
    policy = response.headers["content-security-policy"]

    assert inventory.inline == []
    assert not [name for name in inventory.attributes if name == "style" or name.startswith("on")]
    assert len(inventory.ids) == len(set(inventory.ids))
    assert "unsafe" not in policy
    assert policy.startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https://images."
    )
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", _PAGES)
def test_nothing_is_loaded_from_elsewhere(stage: Stage, path: str) -> None:
    """Every address in a page is one of this service, but for images, whose place an operator has named."""
    found = _LINKS.findall(stage.client.get(path).text)

    strange = [address for address in found if not address.startswith(("/", "#", "https://images.example/"))]

    assert strange == []


def test_the_grid_shows_what_is_published(stage: Stage) -> None:
    """Every service that the key may see, each showing, and which one is on air."""
    page = stage.client.get("/guide").text

    assert page.count('class="row lanes-1 flat" role="row" data-sid') == 2
    assert re.search(r'is-on-air is-near[^>]*data-at="50" data-end="80" data-pid="w0000001"', page)
    assert "Tuesday 10 March 2026" in page


def test_the_grid_marks_how_a_broadcast_lies_in_its_window(stage: Stage) -> None:
    """The classes of a block name its kind, an overlap, the edge of the window that it crosses, and whether it is on
    air.
    """
    six = NOON - timedelta(hours=6)
    broadcasts = [
        showing(1, six - timedelta(minutes=10)),
        showing(2, NOON - timedelta(minutes=45), 60),
        showing(3, NOON, 5, episode_pid=None),
        showing(4, NOON + timedelta(minutes=15), is_known=False),
        showing(5, six + timedelta(hours=23, minutes=55)),
    ]
    stage.publish(schedule(key(), broadcasts, seq=2))

    page = stage.client.get(f"/guide/rows?sid={ALDER}&like={ALDER}&date={TODAY}").text

    marks = ("is-on-air", "is-near", "overlaps", "is-short", "begins-before", "goes-beyond")
    found = [
        [words[2], *(word for word in words if word in marks)]
        for words in map(str.split, re.findall(r'class="(cell block [^"]*)"', page))
    ]
    assert found == [
        ["programme", "begins-before"],
        ["programme", "is-on-air", "is-near"],
        ["blanked", "is-on-air", "is-near", "overlaps", "is-short"],
        ["unknown"],
        ["programme", "is-short", "goes-beyond"],
    ]
    assert page.count("mark-overlap") == 1


def test_a_broadcast_in_full_has_its_longest_synopsis_and_its_image(stage: Stage) -> None:
    """The image's address is made by the template; without a template there is no image."""
    shown = showing(1, NOON)
    assert shown.episode is not None
    longer = replace(shown, episode=replace(shown.episode, synopses=Synopses("brief", "detailed", "")))
    without_images = Stage()
    pages = []
    for each in (stage, without_images):
        each.publish(schedule(key(), [longer], seq=2))
        pages.append(each.client.get(f"/guide/broadcast?sid={ALDER}&date={TODAY}&pid=w0000001").text)

    assert all("detailed" in page and "brief" not in page and "on air" in page for page in pages)
    assert ["https://images.example/p0000009.jpg" in page for page in pages] == [True, False]
    assert "<img" not in pages[1]


def test_an_operator_reads_the_causes_of_a_version(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page lists the causes that are kept, the number of the others, and the seconds since the oldest."""
    causes = tuple(
        Cause(f"event-{n}", Origin.CATALOGUE, "b0000001", NOON - timedelta(seconds=2 + n), ("title",))
        for n in range(5)
    )
    change = a_change(key(), 1, etag="etag", published_at=NOON, causes=causes, cause_count=8)
    monkeypatch.setattr(stage.store.versions, "versions", lambda _: [change])

    page = stage.ask_as("operator", is_operator=True).get(f"/guide/{ALDER}/{TODAY}").text

    assert re.findall(r"<bdi>(event-\d)</bdi>", page) == [f"event-{n}" for n in range(5)]
    assert "and 3 more" in page
    assert "6.0 s after its cause" in page
    assert "6.0 s from the notification to publication" in page
    assert page.count("</code>: title<br>") == 5


def test_a_comparison_of_an_earlier_version_is_marked(stage: Stage) -> None:
    """Only a comparison of the version that is shown stands without that remark."""
    operator = stage.ask_as("operator", is_operator=True)
    differences = (("w0000001", "title", "ours", "theirs"),)
    pages = []
    for seq in (7, 1):
        comparison = Comparison(seq, Verdict.DIFFERS, "2026-03-10T11:00:00Z", "", 1, differences)
        stage.store.comparisons.keep({key(): comparison})
        pages.append(operator.get(f"/guide/{ALDER}/{TODAY}").text)

    assert ["of an earlier version than this" in page for page in pages] == [True, False]
    assert all("1 difference" in page and "theirs" in page for page in pages)


def test_an_operator_reads_what_the_source_document_had_unusable(stage: Stage) -> None:
    """Partners see neither the reasons nor the heading."""
    unusable = QuarantinedBroadcast("w0000009", "broadcast 3: end: <b>", is_blanked=False)
    summary = describe_quarantined([unusable], ["broadcast 4: mended"])
    stage.store.quarantined_broadcasts.keep({key(): summary})

    pages = [
        stage.ask_as(name, is_operator=is_operator).get(f"/guide/{ALDER}/{TODAY}").text
        for name, is_operator in (("operator", True), ("partner", False))
    ]

    for shown in ("Its source document", "broadcast 3: end: &lt;b&gt;", "broadcast 4: mended"):
        assert [shown in page for page in pages] == [True, False]


def test_a_partner_sees_its_own_services_alone(stage: Stage) -> None:
    """The others are not in the grid, not among the changes, and have no page."""
    _note_change(stage, ALDER)
    _note_change(stage, BIRCH)
    partner = stage.ask_as("narrow", ("birch_*",))

    pages = [partner.get(path).text for path in ("/guide", "/guide?q=lantern", "/guide/changes")]
    rejected = [
        partner.get(f"/guide/{ALDER}/{TODAY}"),
        partner.get(f"/guide/rows?sid={BIRCH}&sid={ALDER}&like={BIRCH}&date={TODAY}"),
        partner.get(f"/guide/broadcast?sid={ALDER}&date={TODAY}&pid=w0000001"),
    ]

    assert all("alder" not in page.lower() for page in pages)
    assert [response.status_code for response in rejected] == [404, 404, 404]


def test_a_search_lists_what_it_finds(stage: Stage) -> None:
    """The search works without scripts, and reports that nothing was found."""
    found, nothing = (stage.client.get("/guide", params={"q": text}).text for text in ("weir", "trams"))

    assert "1 found for" in found
    assert f'href="/guide/{BIRCH}/{TODAY}#b-w0000003"' in found
    assert "has all of these words" in nothing


def test_a_search_begins_with_what_is_on_or_to_come(stage: Stage) -> None:
    """What is over follows, under a heading; also if there are more hits than are listed."""
    stage.publish(
        schedule(
            key(), [showing(n, NOON + timedelta(hours=hours)) for n, hours in enumerate((-3, 0, 3))], seq=2
        )
    )

    page = stage.client.get("/guide?q=lantern").text

    hits = page.partition('class="hits"')[2]
    assert re.findall(r"#b-(w\d+)|(Earlier) today", hits)[:4] == [
        ("w0000001", ""),
        ("w0000002", ""),
        ("", "Earlier"),
        ("w0000000", ""),
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"date": "2026-02-30"},
        {"from": "25:00"},
        {"q": "x" * 101},
        {"date": "0001-01-01"},
        {"group": "g" * 131},
    ],
)
def test_what_cannot_be_asked_is_said_on_a_page(stage: Stage, query: dict[str, str]) -> None:
    """A status for machines, and a page for people."""
    response = stage.client.get("/guide", params=query)

    assert response.status_code == 400
    assert "<h1>The request cannot be understood</h1>" in response.text


def test_rows_are_limited(stage: Stage) -> None:
    """A page asks for some rows at a time, and for no more."""
    sids = [f"alder_{n}" for n in range(31)]

    response = stage.client.get("/guide/rows", params={"sid": sids, "like": ALDER, "date": str(TODAY)})

    assert response.status_code == 400


def test_a_row_of_many_showings_leads_to_the_schedule(stage: Stage) -> None:
    """A row has a limited number of blocks; a link leads to the schedule's page with the others."""
    many = [showing(n, NOON + timedelta(seconds=n), 1) for n in range(MOST_BLOCKS + 1)]
    stage.publish(schedule(key(), many, seq=2))

    page = stage.client.get("/guide/rows", params={"sid": ALDER, "like": ALDER, "date": str(TODAY)}).text

    assert "and 1 more" in page


def test_a_page_that_did_not_change_is_not_sent_again(stage: Stage) -> None:
    """Within a minute, while nothing is published; anything that is makes it another page."""
    first = stage.client.get("/guide")
    again = stage.client.get("/guide", headers={"If-None-Match": first.headers["etag"]})
    stage.publish(schedule(key(BIRCH), [showing(3, NOON, title="The Kiln")], seq=2))
    changed = stage.client.get("/guide", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, changed.status_code) == (304, 200)
    assert first.headers["cache-control"] == "private, no-cache"
    assert "Cookie" in first.headers["vary"]


def test_partners_see_when_and_operators_see_why(stage: Stage) -> None:
    """Provenance, parity and causes are for operators."""
    _note_change(stage)
    stage.store.comparisons.keep({key(): Comparison(1, Verdict.MATCHES, "2026-03-10T11:00:00Z")})
    operator = stage.ask_as("operator", is_operator=True)

    told = operator.get("/guide/changes").text + operator.get(f"/guide/{ALDER}/{TODAY}").text
    not_told = stage.client.get("/guide/changes").text + stage.client.get(f"/guide/{ALDER}/{TODAY}").text

    assert "catalogue p0000001 (title)</bdi>, published 1.0 s later" in told
    assert "s later" not in not_told
    assert "Where its versions came from" in told
    assert "Matches the old system" in told
    assert "catalogue p0000001" not in not_told
    assert "Where its versions came from" not in not_told
    assert "Parity" not in not_told


def test_changes_of_the_last_hour_are_listed(stage: Stage) -> None:
    """Older ones are not."""
    _note_change(stage, minutes_ago=61)
    before = stage.client.get("/guide/changes").text
    _note_change(stage, minutes_ago=59)

    after = stage.client.get("/guide/changes").text

    assert "Nothing has changed." in before
    assert "11:01:00" in after


def test_with_the_store_gone_pages_say_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedules in memory are shown and marked as stale; the page says which data needs the store."""

    def reject(*_: object) -> None:
        raise ServiceError("away")

    monkeypatch.setattr(stage.store.versions, "versions", reject)
    stage.clock.advance(timedelta(minutes=10))

    grid = stage.client.get("/guide").text
    detail = stage.ask_as("operator", is_operator=True).get(f"/guide/{ALDER}/{TODAY}").text

    assert 'data-state="stale"' in grid
    assert "Stale: the store last answered at 12:00:00" in grid
    assert "The store does not answer at the moment." in detail


def test_a_removed_schedule_says_so(stage: Stage) -> None:
    """Its page is there, without broadcasts; one that never was is not found."""
    stage.delivery.mirror.advance("9-0", [_removed()], NOON)

    removed = stage.client.get(f"/guide/{ALDER}/{TODAY}")
    never = stage.client.get(f"/guide/{ALDER}/2020-01-01")

    assert "was removed with version 2" in removed.text
    assert never.status_code == 404


def _removed() -> MirroredSchedule:
    return MirroredSchedule(key(), 2, "", NOON, None)
