"""Completes FastAPI's OpenAPI document: authentication, validators, and errors as problem documents.

The models of the answers are in :mod:`~schedules_pipeline.delivery.routes.documented` and ``documented_queries``.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.routing import APIRoute

from schedules_pipeline.delivery.deprecations import Deprecation
from schedules_pipeline.delivery.problems import MEDIA_TYPE
from schedules_pipeline.delivery.routes.answering import LONGEST_CONDITION
from schedules_pipeline.delivery.routes.documented_webhooks import TAG, webhook_schemas, webhooks

_SCHEME = "apiKey"
_OPEN_TAGS = frozenset({"health", "televisions", "players"})
"""Of operations that want no header: the paths of televisions and players say who asks."""

TAGS: Final = {
    "schedules": "Services and their schedules, in JSON, XMLTV and TV-Anytime.",
    "changes": "The version of everything, and what has changed since: by pages, by long poll, or as a stream.",
    "now and next": "What is on, and what follows.",
    "programmes": "Where a programme is shown, and the latest episodes of brands.",
    "catalogue": "Episodes that are available or coming.",
    "subscriptions": "Your own webhooks and file deliveries.",
    TAG: "What is sent to your receiver, if you have a webhook.",
    "status": "Freshness, incidents and limits, as they concern you.",
    "televisions": "A content guide server of DVB-I. The path says who asks.",
    "players": "One XMLTV file for a player. The path says who asks.",
    "health": "For load balancers, and the meaning of problems. No key is needed.",
}
_FRAMEWORK_STATUS = "422"
_FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")
_CONDITIONAL = frozenset(
    {
        "list_services",
        "get_schedule",
        "get_days",
        "get_services_of_a_day",
        "get_services_of_a_day_in_a_format",
        "get_digest",
        "get_now_next",
        "get_broadcasts",
        "get_available",
        "get_coming",
        "get_service_list",
        "get_television_schedule",
        "get_television_programme",
        "get_more_episodes",
        "get_player_guide",
        "get_player_guide_gzipped",
    }
)
"""The operations whose answers have a validator."""

_ETAG = {
    "ETag": {
        "description": "A strong validator; it differs for every version, format and coding.",
        "schema": {"type": "string"},
    }
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of your copy; the answer is 304 if it is current.",
    "schema": {"type": "string", "maxLength": LONGEST_CONDITION},
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_OF_EVERY_ANSWER = {
    "Schedules-As-Of": {
        "description": "When the store last confirmed the answer.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "Schedules-Stale": {
        "description": "`?1` if the store is unreachable and the last good documents are served.",
        "schema": {"type": "string", "const": "?1"},
    },
    "RateLimit-Policy": {
        "description": 'Your limits: tokens of a minute, requests of a day, as in `"minute";q=1200;w=60`.',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'What is left of them, as in `"minute";r=1199;t=60`.',
        "schema": {"type": "string"},
    },
    "Schedules-Cost": {
        "description": "The tokens that the request cost, if more than one.",
        "schema": {"type": "integer"},
    },
}
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}


def operation_id(route: APIRoute) -> str:
    """The function's name, which stays the same if a path moves. Names of route functions must be unique."""
    return route.name


class DocumentedApplication(FastAPI):
    def __init__(self, deprecations: Sequence[Deprecation], **options: Any) -> None:
        super().__init__(**options)
        self.deprecations = deprecations

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            _complete(document)
            for each in self.deprecations:
                _mark(document["paths"][each.route], each)
        return super().openapi()


def _mark(operations: dict[str, Any], deprecation: Deprecation) -> None:
    for operation in operations.values():
        marked = [operation]
        if name := deprecation.parameter:
            marked = [each for each in operation["parameters"] if each["name"] == name]
        for each in marked:
            note = f"{each.get('description', '')} {deprecation.note}".strip()
            each.update(deprecated=True, description=note)


def _complete(document: dict[str, Any]) -> None:
    document["security"] = [{_SCHEME: []}]
    components = document["components"]
    components["securitySchemes"] = {
        _SCHEME: {"type": "http", "scheme": "bearer", "description": "Your API key."}
    }
    components["headers"] = _OF_EVERY_ANSWER | _RETRY_AFTER
    components["schemas"] |= webhook_schemas()
    document["webhooks"] = webhooks()
    for name in _FRAMEWORK_SCHEMAS:
        components["schemas"].pop(name, None)
    examples = orjson.loads(files(__package__).joinpath("examples.json").read_bytes())
    for operation in _operations(document):
        if _OPEN_TAGS.intersection(operation.get("tags", ())):
            operation["security"] = []
        if operation["operationId"] in _CONDITIONAL:
            operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
            operation["responses"]["304"] = {"description": "Your copy is current.", "headers": _ETAG}
            succeeded = operation["responses"]["200"]
            succeeded["headers"] = succeeded.get("headers", {}) | _ETAG
        if (example := examples.get(operation["operationId"])) is not None:
            operation["responses"]["200"]["content"]["application/json"]["example"] = example
        operation["summary"] = operation["summary"].capitalize()
        operation["responses"] = dict(_responses(operation["responses"]))
        if "401" in operation["responses"]:
            _add_fields(operation["responses"])


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in document["paths"].values():
        yield from operations.values()


def _add_fields(responses: dict[str, Any]) -> None:
    """The header fields that the gate adds to answers for partners."""
    for status, response in responses.items():
        fields = {"401": {}, "429": _RETRY_AFTER, "503": _RETRY_AFTER}.get(status, _OF_EVERY_ANSWER)
        response["headers"] = response.get("headers", {}) | {
            name: {"$ref": f"#/components/headers/{name}"} for name in fields
        }


def _responses(responses: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """In order of their status, without FastAPI's 422, which the service answers as 400."""
    for status, response in sorted(responses.items()):
        if status == _FRAMEWORK_STATUS:
            continue
        if "content" in response:
            is_problem = "ProblemDocument" in str(response["content"])
            content = _PROBLEM if is_problem else _json_first(response["content"])
            response = {**response, "content": content}  # noqa: PLW2901
        yield status, response


def _json_first(content: dict[str, Any]) -> dict[str, Any]:
    """JSON first, because generated clients use the first media type that they know."""
    return dict(sorted(content.items(), key=lambda item: item[0] != "application/json"))
