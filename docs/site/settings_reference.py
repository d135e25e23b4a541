"""The tables of the settings, one for each group, from their declaration in ``schedules_pipeline/settings.py``."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from schedules_pipeline.renamed_settings import RENAMED
from schedules_pipeline.settings import Settings


def settings_tables() -> Iterator[str]:
    for group, names in groupby(Settings.model_fields, key=_group_of):
        yield from (
            "",
            f"## {group.__doc__}",
            "",
            "| variable | default | accepts | meaning |",
            "|---|---|---|---|",
        )
        for name in names:
            field = Settings.model_fields[name]
            cells = (_default(name, field.default), _accepts(field), str(field.description))
            yield f"| `{_variable(name)}` | {' | '.join(cells)} |"
    yield from (
        "",
        "## Renamed settings",
        "",
        "This release still reads the old variable, with a warning.",
        "",
    )
    yield from ("| old variable | variable |", "|---|---|")
    yield from (f"| `{_variable(old)}` | `{_variable(new)}` |" for old, new in RENAMED.items())
    yield ""


def _group_of(name: str) -> type:
    return next(group for group in Settings.__bases__ if name in group.__annotations__)


def _variable(name: str) -> str:
    return f"SCHEDULES_{name.upper()}"


def _default(name: str, value: object) -> str:
    """The default, as it would be written into the environment."""
    match value:
        case None | "":
            return "none"
        case () if name == "service_names":
            return "`{}`"
        case SecretStr():
            return f"`{value.get_secret_value()}`"
        case tuple():
            return f"`{json.dumps(value)}`"
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            return f"`{value}`"


def _accepts(field: FieldInfo) -> str:
    """The declared text, or else one made from the numeric bounds."""
    extra: Any = field.json_schema_extra or {}
    bounds = {
        name: getattr(part, name)
        for part in field.metadata
        for name in ("ge", "le", "gt")
        if hasattr(part, name)
    }
    match bounds:
        case _ if "accepts" in extra:
            return str(extra["accepts"])
        case {"ge": least, "le": most}:
            return f"{least:,} to {most:,}"
        case {"gt": least, "le": most}:
            return f"more than {least:,}, to {most:,}"
        case {"ge": least}:
            return f"{least:,} or more"
        case _:
            return ""
