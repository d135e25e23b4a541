"""The OpenAPI document, as a generator of clients reads it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from delivery.recorded_examples import FILE, answers
from delivery_stage import DeliveryStage
from push_stage import KEY, OTHER, PushStage
from pydantic import TypeAdapter
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, Slot

from schedules_pipeline.delivery.problems import MEDIA_TYPE
from schedules_pipeline.delivery.routes.documented_webhooks import CloudEvent, WebhookBatch, WebhookEvent
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.push.subscription import Envelope


@pytest.fixture(scope="module")
def document() -> Any:
    """As it is served."""
    return DeliveryStage().client().get("/openapi.json").json()


@pytest.mark.parametrize("batch", [1, 10])
@pytest.mark.parametrize("envelope", Envelope)
def test_what_receivers_get_is_described(document: Any, envelope: Envelope, batch: int) -> None:
    """What the pusher sends is listed by type and media type, valid there, and has the members of the example."""
    stage = PushStage()
    stage.subscribe_webhook(envelope=envelope, batch=batch)
    stage.publish(KEY)
    stage.publish(OTHER, removed=True)
    stage.push()

    for _, sent_headers, body in stage.receiver.received:
        headers, sent = {name.lower(): value for name, value in sent_headers.items()}, orjson.loads(body)
        kind = "events" if batch > 1 else sent["type"]
        operation = document["webhooks"][kind]["post"]
        content = operation["requestBody"]["content"][headers["content-type"]]
        model = _MODELS[str(content["schema"])]
        for message in (sent, content["example"]):
            assert model.validate_python(message)
        assert _shape(sent) == _shape(content["example"])
        assert {field["name"] for field in operation["parameters"]} <= headers.keys()
    assert {"feed.reset", "subscription.ping"} < document["webhooks"].keys()


_MODELS: Mapping[str, TypeAdapter[Any]] = {
    str({"$ref": "#/components/schemas/WebhookEvent"}): TypeAdapter(WebhookEvent),
    str({"$ref": "#/components/schemas/WebhookBatch"}): TypeAdapter(WebhookBatch),
    str({"$ref": "#/components/schemas/CloudEvent"}): TypeAdapter(CloudEvent),
    str({"type": "array", "items": {"$ref": "#/components/schemas/CloudEvent"}}): TypeAdapter(
        list[CloudEvent]
    ),
}


def _shape(message: Any) -> Any:
    """The names of all members."""
    match message:
        case dict():
            return {name: _shape(member) for name, member in message.items()}
        case list():
            return [_shape(member) for member in message]
    return None


def test_the_examples_are_what_the_service_answers(document: Any) -> None:
    """`python -m delivery.recorded_examples`, with `tests` on the path, records them again."""
    recorded = orjson.loads(FILE.read_bytes())
    found = {
        operation["operationId"]: content["example"]
        for _, operation in _operations(document)
        if "example"
        in (content := operation["responses"]["200"].get("content", {}).get("application/json", {}))
    }

    assert recorded == answers() == found


def _operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            yield path, operation


def test_description_needs_no_key() -> None:
    """A developer reads the description, as a document and as a page, before there is a key."""
    visitor = DeliveryStage().client(None)

    document, page = visitor.get("/openapi.json"), visitor.get("/docs")

    assert document.headers["content-type"] == "application/json"
    assert document.json()["servers"] == [{"url": "/"}]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert all(
        f"{method.upper()} {path}" in page.text
        for path, operations in document.json()["paths"].items()
        for method in operations
    )
    again = visitor.get("/docs", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304


def test_the_page_has_everything_of_the_document(document: Any) -> None:
    """Each request under its subject, with parameters, body, answers and header fields; each document with its members;
    every link within the page has a target; and no backtick is left as it is written in the document.
    """
    page = DeliveryStage().client(None).get("/docs").text
    targets = set(re.findall(r' id="([^"]+)"', page))

    assert set(re.findall(r'href="#([^"]+)"', page)) <= targets
    for path, operation in _operations(document):
        assert operation["operationId"] in targets, path
        for parameter in operation.get("parameters", ()):
            assert f"<code>{parameter['name']}</code>" in page
    for name, schema in document["components"]["schemas"].items():
        assert f"schema-{name}" in targets
        assert all(f"<code>{member}</code>" in page for member in schema.get("properties", ()))
    assert 'href="#schema-FollowedBrands"' in page
    assert "<code>Schedules-Cursor</code>" in page
    assert "`" not in page


def test_tags_and_header_fields_are_described(document: Any) -> None:
    """Every tag has a description, and every answer to a partner the fields that the gate adds."""
    described = {tag["name"]: tag["description"] for tag in document["tags"]}

    assert all(described[tag] for _, operation in _operations(document) for tag in operation["tags"])
    services = document["paths"]["/v1/services"]["get"]["responses"]
    assert {"Link", "ETag", "RateLimit", "Schedules-As-Of"} <= services["200"]["headers"].keys()
    assert list(services["429"]["headers"]) == ["Retry-After"]
    assert set(document["components"]["headers"]) >= {"Retry-After", "RateLimit", "Schedules-Stale"}


def test_every_operation_has_a_name_of_its_own(document: Any) -> None:
    """Names are those of functions in a client: short, different, and without the path in them."""
    names = [operation["operationId"] for _, operation in _operations(document)]

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and len(name) < 40 for name in names)


def test_every_operation_says_what_it_is_for(document: Any) -> None:
    """Each has a summary, and a description for the reader."""
    assert all(operation["summary"] and operation["description"] for _, operation in _operations(document))


def test_operations_need_a_key_but_those_of_health(document: Any) -> None:
    """The key is a bearer token for every operation, and none is needed for health."""
    schemes = document["components"]["securitySchemes"]
    open_paths = [path for path, operation in _operations(document) if operation.get("security") == []]

    assert [scheme["scheme"] for scheme in schemes.values()] == ["bearer"]
    assert document["security"] == [{name: []} for name in schemes]
    televisions = [path for path in open_paths if path.startswith("/dvb-i/{access}/")]
    players = [path for path in open_paths if path.startswith("/players/{access}/")]
    others = [path for path in open_paths if path not in televisions + players]
    assert (len(televisions), len(players)) == (4, 2)
    assert others == ["/health/live", "/health/ready", "/health/serving", "/problems/{name}"]


def test_errors_are_problem_documents(document: Any) -> None:
    """Every documented error is a problem document, except states of health; FastAPI's own form is not mentioned."""
    errors = {
        (path, status, *response["content"])
        for path, operation in _operations(document)
        for status, response in operation["responses"].items()
        if status >= "400" and path not in {"/health/ready", "/health/serving"}
    }

    assert {media_type for _, _, media_type in errors} == {MEDIA_TYPE}
    assert "422" not in {status for _, status, _ in errors}
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert {"400", "401", "404", "429", "503"} <= {
        status for path, status, _ in errors if path == "/v1/services"
    }


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/changes", "410"), ("/v1/changes/stream", "410"), ("/v1/schedules", "406")]
)
def test_errors_of_some_are_documented_with_them(document: Any, path: str, status: str) -> None:
    """What only some operations answer stands with these."""
    assert status in document["paths"][path]["get"]["responses"]


def test_json_is_the_first_of_the_formats(document: Any) -> None:
    """A generated client, which takes the first format that it knows, takes JSON."""
    content = document["paths"]["/v1/schedules/{sid}/{date}"]["get"]["responses"]["200"]["content"]

    assert list(content) == ["application/json", "application/xml"]


def test_every_parameter_has_a_limit(document: Any) -> None:
    """No text, list or number can be given without one."""
    unlimited = [
        (path, parameter["name"])
        for path, operation in _operations(document)
        for parameter in operation.get("parameters", ())
        if not _is_limited(parameter["schema"]) and path != "/problems/{name}"
    ]

    assert unlimited == []


def _is_limited(schema: Any) -> bool:
    kinds = schema.get("anyOf", [schema])
    limits = {"maxLength", "maximum", "maxItems", "pattern", "enum", "format", "$ref", "const"}
    return all(kind.get("type") in {"null", "boolean"} or limits & kind.keys() for kind in kinds)


@pytest.mark.parametrize(
    ("operation", "address"),
    [
        ("list_services", "/v1/services"),
        ("get_schedule", "/v1/schedules/alder/2026-03-28"),
        ("get_days", "/v1/schedules/alder?from=2026-03-28"),
        ("get_services_of_a_day", "/v1/schedules?date=2026-03-28"),
        ("get_services_of_a_day_in_a_format", "/v1/schedules.xmltv?date=2026-03-28"),
        ("get_digest", "/v1/digest"),
        ("get_changes", f"/v1/changes?since={render_cursor(FeedCursor('', '0'))}"),
        ("get_now_next", "/v1/now-next"),
        ("get_broadcasts", "/v1/programmes/p0000001/broadcasts"),
        ("get_available", "/v1/catalogue/available"),
        ("get_coming", "/v1/catalogue/coming"),
    ],
)
def test_what_has_a_validator_is_documented_so(document: Any, operation: str, address: str) -> None:
    """An operation documents `If-None-Match` and 304 exactly if its answer has an `ETag`."""
    stage = DeliveryStage()
    stage.publish([SchedulePut(KEYS[0], (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None)))])
    stage.follow()

    answer = stage.client().get(address)

    documented = next(found for _, found in _operations(document) if found["operationId"] == operation)
    names = [parameter["name"] for parameter in documented.get("parameters", [])]
    assert answer.status_code == 200
    assert ("etag" in answer.headers, "304" in documented["responses"]) in [(True, True), (False, False)]
    assert ("If-None-Match" in names) == ("etag" in answer.headers)
