"""The service does what its OpenAPI document says: schemathesis asks every operation, in valid and invalid ways."""

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, ScheduleRemoved, Slot

from schedules_pipeline.delivery.questions.broadcasts_of import render_place
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.domain.airing import Place
from schedules_pipeline.partners.partner import Partner

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
engine = pytest.importorskip("schemathesis.engine")

_CASES = 100
_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))


@pytest.fixture
def stage() -> DeliveryStage:
    """Waiting requests end at once, as in a process that stops."""
    stage = DeliveryStage()
    stage.publish([ItemPut(EPISODES[0], "Harbour Lights"), *(SchedulePut(key, _SLOTS) for key in KEYS)])
    stage.publish([ScheduleRemoved(KEYS[-1])])
    stage.add_partner(
        Partner("tester", stage.clock(), requests_per_minute=60_000, requests_per_day=10_000_000)
    )
    stage.keep_up()
    stage.delivery.tail.close()
    return stage


def _obey_rules_between_parameters(stage: DeliveryStage) -> Any:
    """A hook that changes cases where a schema cannot state the rule: a window ends after it begins and is short, a
    date exists, and a cursor was given by the service.
    """
    cursors = {
        "since": render_cursor(FeedCursor(stage.delivery.mirror.cursor.epoch, "0")),
        "after": render_place(Place(datetime(2026, 3, 28, tzinfo=UTC), "", "")),
    }

    def before_call(_: Any, case: Any, **__: Any) -> None:
        query, headers, path = case.query or {}, case.headers or {}, case.path_parameters or {}
        _set_window(query)
        for name, cursor in cursors.items():
            if _is_sealed(query.get(name)) and not case.path.startswith("/v1/catalogue/"):
                query[name] = cursor
        for name in headers:
            if name.lower() == "last-event-id" and _is_sealed(headers[name]):
                headers[name] = cursors["since"]
        if _DAY_PATH.fullmatch(str(path.get("date"))):
            path["date"] = "2026-03-28" + path["date"][10:]

    return before_call


_SEALED = re.compile(r"[A-Za-z0-9_-]{0,200}")
_DAY_PATH = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([.][a-z]{1,20})?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII)


def _is_sealed(value: object) -> bool:
    return isinstance(value, str) and _SEALED.fullmatch(value) is not None


def _set_window(query: dict[str, Any]) -> None:
    given = [name for name in ("from", "to") if name in query]
    if given and all(_DAY.fullmatch(str(query[name])) for name in given):
        query |= {"from": "2026-03-28", "to": "2026-03-30"}
    elif given and all(_INSTANT.fullmatch(str(query[name])) for name in given):
        query |= {"from": "2026-03-28T12:00:00Z", "to": "2026-03-30T12:00:00Z"}


@pytest.mark.long
def test_no_operation_deviates_from_its_description(stage: DeliveryStage) -> None:
    """With at least 100 cases of every operation, no answer contradicts the document."""
    schemathesis.hook(_obey_rules_between_parameters(stage))
    key = stage.client("tester").headers["authorization"].removeprefix("Bearer ")
    config = schemathesis.Config.from_dict(
        {
            "auth": {"openapi": {"apiKey": {"bearer": key}}},
            "generation": {"max-examples": _CASES, "deterministic": True, "database": "none"},
        }
    )
    schema = schemathesis.openapi.from_asgi("/openapi.json", stage.application, config=config)
    cases: Counter[str] = Counter()
    faults: dict[tuple[str, str], str] = {}
    for event in engine.from_schema(schema).execute():
        assert not isinstance(event, engine.events.FatalError | engine.events.NonFatalError), event
        if isinstance(event, engine.events.ScenarioFinished):
            cases[event.recorder.label] += len(event.recorder.cases)
            faults |= _faults(event.recorder)

    assert faults == {}
    for path, operations in stage.application.openapi()["paths"].items():
        for method, operation in operations.items():
            has_input = "parameters" in operation or "requestBody" in operation
            assert cases[f"{method.upper()} {path}"] >= (_CASES if has_input else 1), path


def _faults(recorder: Any) -> dict[tuple[str, str], str]:
    return {
        (
            recorder.label,
            check.name,
        ): f"{recorder.cases[case].value.as_curl_command()}\n{check.failure_info.failure}"
        for case, checks in recorder.checks.items()
        for check in checks
        if check.failure_info
    }
