"""What the site takes from code: whole pages (commands, requests of the API), and tables within pages.

A table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->`` and is kept in the repository, so that it can
be read there. ``python -m docs.site --write`` brings all of them up to date; a test fails where one is not.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click

from docs.site.broadcast_reference import broadcast_table
from docs.site.cost_reference import cost_table, prices_table
from docs.site.settings_reference import settings_tables
from schedules_pipeline.cli.main import PROGRAM, main
from schedules_pipeline.delivery.deprecations import deprecations_table
from schedules_pipeline.health.metrics.series import METRICS

_MARKED = re.compile(r"(<!-- generated: ([\w-]+) -->\n)(.*?)(\n?<!-- end -->)", re.DOTALL)


# Tables within pages


def _metrics_table() -> Iterator[str]:
    yield "| metric | kind | labels | meaning |"
    yield "|---|---|---|---|"
    for metric in METRICS.values():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        yield f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.help} |"


TABLES: Final[Mapping[str, Callable[[], Iterator[str]]]] = MappingProxyType(
    {
        "broadcast": broadcast_table,
        "cost": cost_table,
        "deprecations": deprecations_table,
        "metrics": _metrics_table,
        "prices": prices_table,
        "settings": settings_tables,
    }
)


def fill_tables(text: str) -> str:
    """The text with every marked table as the code has it now. Raises KeyError for a name that is unknown."""
    return _MARKED.sub(lambda match: match[1] + "\n".join(TABLES[match[2]]()) + match[4], text)


def write_tables(pages: Iterator[Path]) -> list[Path]:
    """Bring the marked tables of these files up to date. Returns the files that changed."""
    changed = [page for page in pages if fill_tables(page.read_text()) != page.read_text()]
    for page in changed:
        page.write_text(fill_tables(page.read_text()))
    return changed


# Whole pages


def commands_page() -> str:
    """Every command and its options, from click."""
    return "\n".join(["# Commands and options", "", _COMMANDS_INTRODUCTION, *_commands_of(main, [PROGRAM])])


_COMMANDS_INTRODUCTION: Final = (
    "Generated from the commands. Examples and fields of `--json` are in [the command line](cli.md)."
)


def _commands_of(command: click.Command, path: list[str]) -> Iterator[str]:
    context = click.Context(command, info_name=path[-1])
    if len(path) > 1:
        usage = " ".join([*path, *command.collect_usage_pieces(context)])
        yield from (
            "",
            f"{'#' * len(path)} {' '.join(path[1:])}",
            "",
            command.help or "",
            "",
            f"    {usage}",
            "",
        )
        options = [
            o.get_help_record(context) for o in command.get_params(context) if isinstance(o, click.Option)
        ]
        yield from (
            f"- `{record[0]}`: {record[1]}" for record in options if record and "--help" not in record[0]
        )
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None:
                yield from _commands_of(found, [*path, name])


def requests_page(document: Mapping[str, Any]) -> str:
    """Every request of the delivery service, from its OpenAPI document."""
    lines = ["# Requests and answers", "", _REQUESTS_INTRODUCTION]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            lines += [
                "",
                f"## {method.upper()} {path}",
                "",
                operation["description"],
                *_parameters(operation),
            ]
            lines += ["", "| status | answer |", "|---|---|"]
            lines += [
                f"| {status} | {_answer(response)} |" for status, response in operation["responses"].items()
            ]
    return "\n".join([*lines, "", "## Documents", *_schemas(document)])


_REQUESTS_INTRODUCTION: Final = (
    "Generated from the service's OpenAPI document ([openapi.json](openapi.json)), which client generators read. "
    "[What partners read](api.md) explains the requests in context."
)
_FRAMEWORK_TEXT: Final = "Successful Response"


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("", "| parameter | in | meaning |", "|---|---|---|")
    for one in parameters:
        meaning = " ".join(
            ["required;"] * bool(one.get("required")) + [_one_line(one.get("description", ""))]
        )
        yield f"| `{one['name']}` | {one['in']} | {meaning.strip().removesuffix(';')} |"


def _answer(response: Mapping[str, Any]) -> str:
    text = _one_line(response["description"]).replace(_FRAMEWORK_TEXT, "")
    schemas = [content["schema"] for content in response.get("content", {}).values() if content.get("schema")]
    return " ".join(part for part in (text, *dict.fromkeys(_type(schema) for schema in schemas)) if part)


def _schemas(document: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(document["components"]["schemas"].items()):
        description = _one_line(schema.get("description", ""))
        yield from ("", f"### {name}", "", description, "", "| field | type | meaning |", "|---|---|---|")
        for field, value in schema.get("properties", {}).items():
            yield f"| `{field}` | {_type(value)} | {_one_line(value.get('description', ''))} |"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    return " ".join(str(schema[key]) for key in ("type", "format") if key in schema)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
