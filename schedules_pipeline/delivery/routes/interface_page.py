"""The OpenAPI document as values of the page ``/docs``: requests by subject, and the documents that they speak of."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from markupsafe import Markup, escape

_Json = Mapping[str, Any]

_REF: Final = "#/components/schemas/"
_INSTANTS: Final = ("date", "date-time")
_COMMON: Final = frozenset({"400", "401", "404", "429", "503"})
"""Statuses that the page explains once."""


class Field(NamedTuple):
    """A parameter, or a member of a document. ``note``: where it stands, and whether it is required."""

    name: str
    note: str
    kind: Markup
    limits: str
    meaning: str


class Answer(NamedTuple):
    status: str
    meaning: str
    kinds: Markup
    fields: list[Field]


class Operation(NamedTuple):
    id: str
    method: str
    path: str
    summary: str
    description: str
    is_open: bool
    is_deprecated: bool
    parameters: list[Field]
    body: Markup
    answers: list[Answer]
    common: list[str]


class Group(NamedTuple):
    name: str
    description: str
    operations: list[Operation]


def groups(document: _Json) -> list[Group]:
    """By tag, in the order of the tags; what is sent to receivers stands there by its type."""
    operations = [
        (operation["tags"][0], _operation(path, method, operation))
        for path, methods in [*document["paths"].items(), *document["webhooks"].items()]
        for method, operation in methods.items()
    ]
    return [
        Group(tag["name"], tag["description"], [each for name, each in operations if name == tag["name"]])
        for tag in document["tags"]
    ]


def schemas(document: _Json) -> Iterator[tuple[str, str, list[Field]]]:
    """Name, description and members of every document; of an enumeration the values."""
    for name, schema in sorted(document["components"]["schemas"].items()):
        required = schema.get("required", ())
        members = [
            Field(
                member, "" if member in required else "optional", *_values(each), each.get("description", "")
            )
            for member, each in schema.get("properties", {}).items()
        ]
        values = ", ".join(f"`{value}`" for value in schema.get("enum", ()))
        yield name, f"One of {values}." if values else schema.get("description", ""), members


def _operation(path: str, method: str, operation: _Json) -> Operation:
    body = operation.get("requestBody", {}).get("content", {})
    responses = operation["responses"]
    return Operation(
        operation["operationId"],
        method.upper(),
        path,
        operation["summary"],
        operation["description"],
        operation.get("security") == [],
        operation.get("deprecated", False),
        [_parameter(each) for each in operation.get("parameters", ())],
        _joined(_kind(each["schema"]) for each in body.values()),
        [_answer(status, each) for status, each in responses.items() if status not in _COMMON],
        [status for status in responses if status in _COMMON],
    )


def _parameter(parameter: _Json) -> Field:
    note = parameter["in"] + (", required" if parameter.get("required") else "")
    if parameter.get("deprecated"):
        note += ", deprecated"
    return Field(parameter["name"], note, *_values(parameter["schema"]), parameter.get("description", ""))


def _answer(status: str, response: _Json) -> Answer:
    kinds = [
        Markup("{} ({})").format(_kind(each["schema"]), media_type)
        if "schema" in each
        else escape(media_type)
        for media_type, each in response.get("content", {}).items()
    ]
    fields = [
        Field(name, "header", *_values(each["schema"]), each["description"])
        for name, each in response.get("headers", {}).items()
        if "schema" in each
    ]
    meaning = response["description"].replace("Successful Response", "")
    return Answer(status, meaning, _joined(kinds), fields)


def _values(schema: _Json) -> tuple[Markup, str]:
    """The kind of a value, and its limits."""
    limits = (
        [f"{schema['minimum']} to {schema['maximum']}"] if {"minimum", "maximum"} <= schema.keys() else []
    )
    limits += [f"default {schema['default']}"] if schema.get("default") not in (None, "", []) else []
    limits += [f"at most {schema['maxItems']}"] if "maxItems" in schema else []
    return _kind(schema), ", ".join(limits)


def _kind(schema: _Json) -> Markup:
    match schema:
        case {"$ref": str(ref)}:
            name = ref.removeprefix(_REF)
            return Markup('<a href="#schema-{}">{}</a>').format(name, name)
        case {"anyOf": list(kinds)} if schema.get("format") not in _INSTANTS:
            return _joined(_kind(each) for each in kinds)
        case {"type": "array", "items": dict(items)}:
            return Markup("list of {}").format(_kind(items))
        case {"additionalProperties": dict(values)}:
            return Markup("object of {}").format(_kind(values))
    return escape(_scalar(schema))


def _scalar(schema: _Json) -> str:
    values = schema.get("enum", [schema["const"]] if "const" in schema else ())
    if values:
        return " or ".join(map(str, values))
    form, kind = schema.get("format"), schema.get("type", "any")
    return str(form if form in _INSTANTS else kind)


def _joined(kinds: Iterator[Markup] | list[Markup]) -> Markup:
    return Markup(" or ").join(kinds)
