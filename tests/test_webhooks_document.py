"""The partners' document about webhooks matches the requests and files."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from push_stage import EPOCH, HOOK, KEY, MASTER, PushStage

from schedules_pipeline.push.file_manifest import Manifest, render_manifest
from schedules_pipeline.push.turn import LEASE_FOR
from schedules_pipeline.push.webhook_event import PING, PUBLISHED, REMOVED, RESET
from schedules_pipeline.push.webhook_signature import derive_secret, render_secret

_TEXT = (Path(__file__).parent.parent / "docs/partners/webhooks.md").read_text()
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[str]:
    return [text for named, text in _BLOCK.findall(_TEXT) if named == language]


@pytest.fixture
def is_authentic() -> Any:
    """The verification function in the document."""
    (source,) = _blocks("python")
    names: dict[str, Any] = {}
    exec(source, names)
    return names["is_authentic"]


@pytest.fixture
def stage() -> PushStage:
    made = PushStage()
    made.subscribe_webhook()
    made.publish(KEY)
    return made


def _secret(stage: PushStage, generation: int = 1) -> str:
    return render_secret(derive_secret(MASTER, stage.standing().subscription, generation))


def test_the_snippet_verifies_requests(stage: PushStage, is_authentic: Any) -> None:
    """Another secret, body, id or time is rejected."""
    stage.push()
    ((_, headers, body),) = stage.receiver.received
    now = stage.clock().timestamp()

    assert is_authentic(_secret(stage), headers, body, now)
    assert not is_authentic(_secret(stage, 2), headers, body, now)
    assert not is_authentic(_secret(stage), headers, body + b" ", now)
    assert not is_authentic(_secret(stage), {**headers, "webhook-id": "chg_other"}, body, now)
    assert not is_authentic(_secret(stage), headers, body, now + 301)


def test_the_snippet_verifies_during_a_rotation(stage: PushStage, is_authentic: Any) -> None:
    """Both the old and the new secret verify."""
    lease = stage.store.subscriptions.seize(HOOK, stage.clock(), LEASE_FOR)
    assert lease is not None
    rotated = lease.standing.subscription.rotated(stage.clock())
    stage.store.subscriptions.save(lease, lease.standing.progress, stage.clock(), rotated)

    stage.push()

    ((_, headers, body),) = stage.receiver.received
    now = stage.clock().timestamp()
    assert is_authentic(_secret(stage, 1), headers, body, now)
    assert is_authentic(_secret(stage, 2), headers, body, now)


def test_the_example_of_a_request_has_the_fields_of_one(stage: PushStage) -> None:
    """Members and their order are the same."""
    stage.push()
    example = orjson.loads(_blocks("json")[0])

    (event,) = stage.receiver.accepted

    assert list(example) == list(event)
    assert list(example["data"]) == list(event["data"])
    assert example["id"].startswith("chg_")


def test_the_table_lists_every_type(stage: PushStage) -> None:
    """Each type of event has a row."""
    listed = re.findall(r"^\| `((?:schedule|feed|subscription)\.[a-z]+)` \|", _TEXT, re.MULTILINE)

    assert listed == [PUBLISHED, REMOVED, PING, RESET]


def test_the_example_of_a_manifest_has_the_fields_of_one(stage: PushStage) -> None:
    """Members and their order are the same, down to those of a file."""
    stage.subscribe_files()
    stage.push("harbour-files")
    example = orjson.loads(_blocks("json")[1])
    manifest = next(orjson.loads(c) for name, c in stage.files.objects.items() if "/full_" in name)

    _, empty = render_manifest(Manifest(None, "1", EPOCH, stage.clock(), ()))

    (schedule,) = manifest["schedules"]
    assert list(example) == list(manifest) == list(orjson.loads(empty))
    assert list(example["schedules"][0]) == list(schedule)
    assert list(example["schedules"][0]["files"][0]) == list(schedule["files"][0])
    assert list(example["removed"][0]) == ["sid", "date", "seq"]
