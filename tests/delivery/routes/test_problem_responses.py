"""Every error is answered with a problem document."""

import pytest
from delivery_stage import DeliveryStage
from structlog.testing import capture_logs

from schedules_pipeline.delivery.problems import KINDS, MEDIA_TYPE, ProblemKind
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.ports import UsageKind


@pytest.fixture
def stage() -> DeliveryStage:
    """Nothing is published."""
    return DeliveryStage()


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/v1/nothing", "not-found"),
        ("GET", "/%2e%2e/etc/passwd", "not-found"),
        ("GET", "/v1/schedules/alder/2026-03-28", "not-found"),
        ("GET", "/problems/no-such-thing", "not-found"),
        ("GET", "/problems", "not-found"),
        ("GET", "/health/well", "not-found"),
        ("POST", "/v1/services", "method-not-allowed"),
        ("DELETE", "/health/live", "method-not-allowed"),
        ("GET", "/v1/schedules/Alder!/2026-03-28", "bad-request"),
        ("GET", "/v1/schedules/alder/yesterday", "bad-request"),
        ("GET", "/v1/changes", "bad-request"),
        ("GET", "/v1/changes?since=MXwxfA&limit=0", "bad-request"),
        ("GET", "/v1/changes?since=MXwxfA&limit=" + "9" * 5_000, "bad-request"),
        ("GET", "/v1/schedules?day=noon", "bad-request"),
        ("POST", "/v1/episodes/latest", "bad-request"),
    ],
)
def test_every_error_is_a_problem_document(stage: DeliveryStage, method: str, path: str, kind: str) -> None:
    """An error has the media type and the members of RFC 9457, and is never cached."""
    answer = stage.client().request(method, path)

    problem = answer.json()
    expected = next(each for each in KINDS if each.name == kind)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["cache-control"] == "no-store"
    assert (problem["type"], problem["title"]) == (f"/problems/{kind}", expected.title)
    assert problem["status"] == answer.status_code == expected.status
    assert len(problem["detail"]) > 10
    assert len(answer.content) < 1_000


def test_wrong_method_is_told_the_right_ones(stage: DeliveryStage) -> None:
    """A method that a path does not support is answered with the supported ones."""
    acme = stage.client()

    answers = [acme.delete("/v1/services"), acme.get("/v1/episodes/latest"), acme.head("/v1/episodes/latest")]

    assert [answer.headers["allow"] for answer in answers] == ["GET, HEAD", "POST", "POST"]


def test_wrong_parameters_are_named(stage: DeliveryStage) -> None:
    """Each invalid parameter is named with its error; its value is not repeated."""
    answer = stage.client().get("/v1/changes", params={"since": "x", "limit": "secretly", "wait": 99})

    errors = answer.json()["errors"]
    assert [error["parameter"] for error in errors] == ["query.limit", "query.wait"]
    assert "secretly" not in answer.text


@pytest.mark.parametrize("declared", [True, False])
def test_large_body_is_rejected(stage: DeliveryStage, declared: bool) -> None:
    """More than is ever needed is not read, whether its length is declared or not."""
    body = b"[" * 200_000
    pieces = (body[start : start + 1_000] for start in range(0, len(body), 1_000))

    answer = stage.client().post("/v1/episodes/latest", content=body if declared else pieces)

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize("path", ["/v1/services", "/health/ready"])
def test_defect_tells_nothing_of_itself(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A defect is answered as one, without a word of its text, and logged with it."""

    def break_down() -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(stage.delivery.mirror, "services", break_down)

    with capture_logs() as logs:
        answer = stage.client().get(path)

    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/defect")
    assert "hunter2" not in answer.text + str(answer.headers)
    assert [(log["event"], log["path"], str(log["exc_info"])) for log in logs] == [
        ("defect", path, "password=hunter2")
    ]


def test_defect_is_counted_as_one(stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage has a defect under its status and by its name."""
    monkeypatch.setattr(stage.delivery.mirror, "services", lambda: 1 / 0)

    stage.client().get("/v1/services")

    counts = stage.delivery.admission.collect_usage(stage.clock().date())[stage.clock().date()]
    lines = {(line.kind, line.route, line.detail) for line in counts}
    assert (UsageKind.REQUESTS, "/v1/services", "500") in lines
    assert (UsageKind.PROBLEMS, "", "defect") in lines


def test_store_that_is_away_is_told_with_when_to_retry(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the store knows cannot be told while it is away; nothing of where it is gets out."""

    def fail(_: object) -> None:
        raise ServiceError("redis://10.0.0.7:6379 refused")

    monkeypatch.setattr(stage.store.schedules, "documents", fail)

    answer = stage.client().get("/v1/schedules/alder/2026-03-28?min_seq=1")

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "10.0.0.7" not in answer.text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_type_explains_itself(stage: DeliveryStage, kind: ProblemKind) -> None:
    """The page at a problem's type explains the problem, without a key."""
    answer = stage.client(None).get(f"/problems/{kind.name}")

    assert answer.json()["title"] == kind.title
    assert answer.json()["explanation"] == kind.explanation != ""
