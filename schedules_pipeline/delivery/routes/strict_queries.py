"""Rejects query parameters that a route does not declare, because an ignored one gives the wrong data (ADR 46)."""

from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from schedules_pipeline.delivery.problems import BAD_REQUEST, Problem
from schedules_pipeline.delivery.routes.addressed import access_of

_MOST_ERRORS: Final = 20
_MOST_CHARACTERS: Final = 60


async def require_declared_query(request: Request) -> None:
    """A dependency of every route. Raises :class:`Problem` (400) that names each unknown parameter with the nearest
    declared one, and each that is repeated and takes one value.

    Paths for televisions and players are exempt: nobody can correct a television that sends a parameter of its own.
    """
    if not request.query_params or access_of(request.scope["path"]) is not None:
        return
    declared = _declared(request.scope["route"])
    given = Counter(name for name, _ in request.query_params.multi_items())
    faults = {name: fault for name, number in given.items() if (fault := _fault(name, number, declared))}
    if faults:
        errors = [
            {"parameter": f"query.{name[:_MOST_CHARACTERS]}", "problem": fault}
            for name, fault in faults.items()
        ]
        raise Problem(
            BAD_REQUEST,
            "Some parameters are unknown or repeated, so the answer would not be what you ask for.",
            {"errors": errors[:_MOST_ERRORS]},
        )


def _fault(name: str, number: int, declared: dict[str, bool]) -> str:
    """What is wrong with a parameter; "" for a sound one."""
    if name not in declared:
        nearest = get_close_matches(name[:_MOST_CHARACTERS], declared, n=1)
        if nearest:
            return f"This parameter is unknown. Did you mean `{nearest[0]}`?"
        known = f"The parameters are {', '.join(declared)}." if declared else "There are none."
        return f"This parameter is unknown. {known}"
    return "This parameter may be sent once only." if number > 1 and not declared[name] else ""


def _declared(route: APIRoute) -> dict[str, bool]:
    """Whether each query parameter of a route may be repeated, by its name."""
    return dict(sorted(_query_of(route.dependant)))


def _query_of(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    for field in dependant.query_params:
        yield field.alias, _is_list(field.field_info.annotation)
    for each in dependant.dependencies:
        yield from _query_of(each)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list
