"""The trace of a change, from its notification to what a partner has fetched. Over fakes."""

from collections.abc import Iterator, Sequence
from hashlib import sha256

import pytest
from builders import a_change
from delivery_stage import DeliveryStage
from push_stage import HOOK, KEY, PushStage
from spans import ListedSpans, listing_spans
from toy_world import BRANDS, BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, Slot
from toy_world import Change as UpstreamChange

from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.documents.cursors import render_cursor
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs.traced import build_traced, traced_handling
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.intake import ingest
from schedules_pipeline.push.ports import Answer
from schedules_pipeline.tracing import BuiltSchedule, Span, built, followed, root_of, send_spans_to, trace_id

_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], EPISODES[0]))
_BRAND = ItemPut(BRANDS[0], "Harbour Lights")
_PATH = "/v1/schedules/alder/2026-03-28"


class Stage(DeliveryStage):
    """Three schedules of one brand are published."""

    def __init__(self) -> None:
        super().__init__()
        self.publish([_BRAND, ItemPut(EPISODES[0], "Fog", BRANDS[0])])
        self.publish([SchedulePut(key, _SLOTS) for key in KEYS])
        self.follow()

    def happen(self, *changes: UpstreamChange) -> None:
        """They reach the delivery service as a publisher brings them there."""
        for change in changes:
            change.write(self.upstreams)
            change.announce(self.upstreams)
        self.ingest()
        self.build()
        self.follow()

    def ingest(self) -> None:
        for queue, intake in (
            (self.upstreams.schedule_queue, self.pipeline.schedule_intake),
            (self.upstreams.catalogue_queue, self.pipeline.catalogue_intake),
        ):
            while ingest(queue, traced_handling(intake.handle), 0).received:
                pass

    def build(self) -> None:
        while claim := self.pipeline.publisher.claim_next():
            build_traced(self.pipeline.publisher, claim)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def spans(stage: Stage) -> Iterator[ListedSpans]:
    """Of what happens after the opening."""
    with listing_spans() as listed:
        yield listed


def test_the_spans_of_a_change_form_one_trace(stage: Stage, spans: ListedSpans) -> None:
    """From the notification over the build to the partner's request, each below the step that it followed from."""
    since = render_cursor(stage.delivery.mirror.cursor)
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5))
    stage.client().get("/v1/changes", params={"since": since})
    stage.client().get(_PATH)

    [notification] = spans.named("notification")
    assert {span.id.trace for span in spans.spans} == {notification.id.trace}
    assert notification.id == root_of(str(notification.attributes["schedules.event_id"]))
    assert spans.parents() == {
        "notification": None,
        "ingest": "notification",
        "build": "notification",
        **dict.fromkeys(("gather", "resolve", "commit"), "build"),
        "version": "commit",
        **dict.fromkeys(("mirror", "announce", "fetch"), "version"),
    }
    assert all(span.began <= span.ended for span in spans.spans)


def test_stages_follow_one_another(stage: Stage, spans: ListedSpans) -> None:
    """The stages of a build begin and end within it, without gaps."""
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5))

    [build] = spans.named("build")
    stages = [spans.named(name)[0] for name in ("gather", "resolve", "commit")]
    assert stages[0].began == build.began
    assert [stage.began for stage in stages[1:]] == [stage.ended for stage in stages[:-1]]
    assert stages[-1].ended <= build.ended
    [version] = spans.named("version")
    assert version.began == stages[-1].began, "a viewer shows it after the stages"


def test_what_follows_a_notification_says_how_long_after(stage: Stage, spans: ListedSpans) -> None:
    """A viewer can then list the slow ones. The notification of this test is as old as its clock."""
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5))
    stage.client().get(_PATH)

    shown = [*spans.named("version"), *spans.named("mirror"), *spans.named("fetch")]
    [notification] = spans.named("notification")
    assert [span.attributes["schedules.milliseconds_after"] for span in shown] == [
        (span.ended - notification.began) // 1_000_000 for span in shown
    ]


def test_a_change_of_a_brand_is_one_trace(stage: Stage, spans: ListedSpans) -> None:
    """It has a version of every schedule below the brand."""
    stage.happen(ItemPut(BRANDS[0], "Salt and Slate"))

    assert len(spans.by_trace()) == 1
    assert {span.attributes["schedules.schedule"] for span in spans.named("version")} == set(map(str, KEYS))
    assert len(spans.named("mirror")) == 3


def test_a_version_of_several_events_is_in_the_trace_of_each(stage: Stage, spans: ListedSpans) -> None:
    """Each links to the others."""
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5), ItemPut(BRANDS[0], "Salt and Slate"))

    of_both = [
        span for span in spans.named("version") if span.attributes["schedules.schedule"] == str(KEYS[0])
    ]
    assert len(spans.by_trace()) == 2
    assert {(span.id.trace, link.trace) for span in of_both for link in span.links} == {
        (a, b) for a in spans.by_trace() for b in spans.by_trace() if a != b
    }


def test_a_partner_is_shown_once_for_each_version(stage: Stage, spans: ListedSpans) -> None:
    """A partner that asks again adds nothing; another partner does."""
    stage.add_partner(Partner("beacon", stage.clock()))
    stage.keep_up()
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5))

    for partner in ("acme", "acme", "beacon"):
        stage.client(partner).get(_PATH)

    assert [span.attributes["schedules.partner"] for span in spans.named("fetch")] == ["acme", "beacon"]
    assert {span.attributes["http.response.status_code"] for span in spans.named("fetch")} == {200}


def _key(stage: Stage) -> str:
    return stage.client().headers["authorization"].removeprefix("Bearer ")


def test_other_ways_to_the_document_are_traced_too(stage: Stage, spans: ListedSpans) -> None:
    """A request that is not answered directly, and one that reads only the head."""
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5))
    stage.client().head(_PATH)
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=10))
    stage.client().get(_PATH, headers={"Accept": "application/json;q=0.9"})

    assert [span.attributes["schedules.seq"] for span in spans.named("fetch")] == [2, 3]


@pytest.mark.parametrize(
    "path",
    [
        f"{_PATH}.xmltv",
        "/v1/schedules/alder?from=2026-03-27&to=2026-03-29",
        "/v1/schedules.xmltv?date=2026-03-28",
        "/players/{key}/guide.xml?from=2026-03-27&to=2026-03-29",
        "/players/{key}/guide.xml.gz?from=2026-03-27&to=2026-03-29",
    ],
)
def test_a_version_that_came_with_others_is_traced_once(stage: Stage, spans: ListedSpans, path: str) -> None:
    """Its trace ends at the first answer that holds it, in any format; what had no change since the start has none."""
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5))
    address = path.format(key=_key(stage))

    answers = [stage.client().get(each) for each in (address, address, _PATH)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [span.attributes["schedules.schedule"] for span in spans.named("fetch")] == [str(KEYS[0])]


def test_versions_from_before_a_restart_are_not_traced(stage: Stage, spans: ListedSpans) -> None:
    """A process that has just started read them all at once; when they came is not known to it."""
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5))
    stage.begin_delivery()
    stage.client().get(_PATH)

    assert not spans.named("fetch")


def test_a_failed_batch_shows_the_kind_of_its_error(
    stage: Stage, spans: ListedSpans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text may hold an address, so it is left out."""

    def fail(_: object) -> None:
        raise ServiceError("redis://:secret@store does not answer")

    monkeypatch.setattr(stage.store.schedules, "read", fail)
    with pytest.raises(ServiceError):
        stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5))

    assert [span.error for span in spans.spans if span.error] == ["ServiceError", "failed"]
    assert "secret" not in repr(spans.spans)


def test_a_schedule_that_cannot_be_fetched_is_shown_as_failed(
    stage: Stage, spans: ListedSpans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the batch is not."""

    def fail(keys: Sequence[object]) -> dict[object, Exception]:
        return {key: ServiceError("no answer") for key in keys if key == KEYS[0]}

    monkeypatch.setattr(stage.upstreams.schedule_source, "fetch", fail)
    SchedulePut(KEYS[0], _SLOTS, minutes=5).announce(stage.upstreams)
    stage.ingest()
    claim = stage.pipeline.publisher.claim_next()
    assert claim is not None
    build_traced(stage.pipeline.publisher, claim)

    [version] = spans.named("version")
    assert (version.error, version.attributes["schedules.outcome"]) == ("failed", "failed")


def test_spans_hold_no_key_and_no_title(stage: Stage, spans: ListedSpans) -> None:
    """Whoever may read traces need not be allowed to read schedules."""
    stage.happen(ItemPut(BRANDS[0], "Salt and Slate"))
    stage.client().get(_PATH)

    assert spans.named("fetch")
    assert not [secret for secret in ("Salt and Slate", "Fog", _key(stage)) if secret in repr(spans.spans)]


def test_a_webhook_is_shown_with_its_outcome(spans: ListedSpans) -> None:
    """Below the version, with the partner and the status of a rejection, without the address."""
    stage = PushStage()
    stage.subscribe_webhook()
    stage.receiver.answers = [Answer(500)]
    cause = Cause("m1", Origin.SCHEDULE, str(KEY), stage.clock())
    stage.store.feed.append([(KEY, 1, render_row(a_change(KEY, causes=(cause,))))])
    stage.push()
    stage.wait(minutes=10)
    stage.push()

    shown = spans.named("webhook")
    assert [span.error for span in shown] == ["answered with status 500", ""]
    assert {span.attributes["schedules.partner"] for span in shown} == {"harbour"}
    assert HOOK not in repr(shown)
    assert "push.example.org" not in repr(shown)


def test_of_many_events_in_a_batch_some_show_the_stages(spans: ListedSpans, stage: Stage) -> None:
    """A flood of notifications is not multiplied by the stages; the other builds link to the first."""
    causes = [Cause(f"m{n}", Origin.SCHEDULE, str(KEYS[0]), stage.clock()) for n in range(12)]

    built(
        [BuiltSchedule(KEYS[0], [cause], "published", n + 1) for n, cause in enumerate(causes)],
        1,
        [("read", 2)],
    )

    assert (len(spans.named("build")), len(spans.named("read"))) == (12, 10)
    assert [span.links for span in spans.named("build")[10:]] == [[spans.named("build")[0].id]] * 2


def test_passes_over_everything_have_no_trace(spans: ListedSpans, stage: Stage) -> None:
    """A coldstart publishes thousands of versions at once, and no partner waits for one of them."""
    coldstart = Cause("run", Origin.COLDSTART, "all", stage.clock())

    followed("record", a_change(causes=(coldstart,)), 1)

    assert trace_id(coldstart) is None
    assert not spans.spans


def test_trace_ids_are_computed_from_event_ids(stage: Stage) -> None:
    """Anybody can compute the id of a trace: it is the beginning of the SHA-256 of the message's id."""
    cause = Cause("6f1c", Origin.CATALOGUE, "b0000001", stage.clock())

    assert trace_id(cause) == sha256(b"6f1c").hexdigest()[:32]


def test_what_is_not_sampled_is_not_sent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender decides by the id of the trace."""

    class Sender:
        sent: list[Span] = []  # noqa: RUF012

        def samples(self, trace: int) -> bool:
            return trace == 0

        def send(self, span: Span) -> None:
            self.sent.append(span)

    send_spans_to(Sender())
    stage.happen(SchedulePut(KEYS[0], _SLOTS, minutes=5))
    send_spans_to(None)

    assert not Sender.sent


def test_without_traces_messages_are_handled_directly(stage: Stage) -> None:
    """Nothing is put around the work while traces are off."""
    handle = stage.pipeline.schedule_intake.handle

    assert traced_handling(handle) is handle
