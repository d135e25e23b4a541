"""Files for collectors over fakes: which files a turn writes, and that a death at any step loses none."""

import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from push_stage import CREATED_AT, EPOCH, FILES, HIDDEN, KEY, OTHER, PushStage, cursor_at

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import place
from schedules_pipeline.push.push import FeedExtent, PushOutcome
from schedules_pipeline.push.turn import LEASE_FOR

_TO = "to/harbour"
_HOUR = timedelta(hours=1)
_NEWER = ScheduleKey.parse("alder_one/2026-03-29")


@pytest.fixture
def stage() -> PushStage:
    """Two schedules are published and written in full."""
    made = PushStage()
    made.subscribe_files()
    made.publish(KEY)
    made.publish(OTHER)
    made.publish(HIDDEN)
    made.push(FILES)
    made.wait(minutes=1)
    return made


def _json(stage: PushStage, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(stage.files.objects[f"{_TO}/{name}"])
    return loaded


def _pointer(stage: PushStage) -> dict[str, Any]:
    return _json(stage, "latest.json")


def _manifests(stage: PushStage) -> Iterator[dict[str, Any]]:
    """The manifests that the pointer names, the full one first."""
    pointer = _pointer(stage)
    for link in (pointer["full"], *pointer["updates"]):
        yield _json(stage, link["name"])


def _file(stage: PushStage, key: ScheduleKey) -> bytes | None:
    content = stage.files.objects.get(f"{_TO}/schedules/{key}.json.gz")
    return None if content is None else gzip.decompress(content)


def _collected(stage: PushStage) -> dict[str, int]:
    """The latest number of each schedule for a collector that follows the manifests from the full one."""
    held: dict[str, int] = {}
    for manifest in _manifests(stage):
        for removed in manifest["removed"]:
            held.pop(f"{removed['sid']}/{removed['date']}", None)
        for schedule in manifest["schedules"]:
            held[f"{schedule['sid']}/{schedule['date']}"] = schedule["seq"]
    return held


def test_the_first_turn_writes_everything(stage: PushStage) -> None:
    """The partner's schedules are files, a full manifest lists them, and the pointer names that manifest."""
    assert _file(stage, KEY) == stage.documents[KEY]
    assert _file(stage, OTHER) == stage.documents[OTHER]
    assert _file(stage, HIDDEN) is None
    (full,) = _manifests(stage)
    assert (full["kind"], full["from"], full["to"], full["cursor"]) == ("full", None, "3", cursor_at("3"))
    assert [schedule["sid"] for schedule in full["schedules"]] == [KEY.sid, OTHER.sid]


def test_a_manifest_describes_the_files(stage: PushStage) -> None:
    """Name, length and hash match the file's bytes; version and etag match the document in it."""
    schedule = next(_manifests(stage))["schedules"][0]

    (file,) = schedule["files"]
    content = stage.files.objects[f"{_TO}/{file['name']}"]
    assert (file["format"], file["bytes"]) == ("json", len(content))
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert (schedule["seq"], schedule["etag"]) == (1, f"{1:032x}")


def test_a_change_is_written_as_an_update(stage: PushStage) -> None:
    """The file has the new version, and a manifest from the previous end lists it alone."""
    stage.publish(KEY)

    report = stage.push(FILES)

    _, update = _manifests(stage)
    assert report.delivered == 1
    assert (update["kind"], update["from"], update["to"]) == ("update", "3", "4")
    assert [(s["sid"], s["seq"]) for s in update["schedules"]] == [(KEY.sid, 2)]
    assert _file(stage, KEY) == stage.documents[KEY]
    assert _pointer(stage)["end"] == stage.standing(FILES).progress.position == "4"


def test_many_changes_of_one_schedule_are_one_file(stage: PushStage) -> None:
    """The update lists only the latest version."""
    for _ in range(7):
        stage.publish(KEY)

    stage.push(FILES)

    _, update = _manifests(stage)
    assert [(s["sid"], s["seq"]) for s in update["schedules"]] == [(KEY.sid, 8)]
    assert update["to"] == "10"


def test_a_removal_deletes_the_file(stage: PushStage) -> None:
    """The manifest lists the removal with its number."""
    stage.publish(OTHER, removed=True)

    stage.push(FILES)

    _, update = _manifests(stage)
    assert update["removed"] == [{"sid": OTHER.sid, "date": "2026-03-28", "seq": 2}]
    assert _file(stage, OTHER) is None


def test_changes_of_other_services_move_only_the_pointer(stage: PushStage) -> None:
    """No manifest is written for them."""
    stage.publish(HIDDEN)

    stage.push(FILES)

    assert len(list(_manifests(stage))) == 1
    assert (_pointer(stage)["end"], _pointer(stage)["cursor"]) == ("4", cursor_at("4"))


def test_updates_are_at_least_a_minute_apart(stage: PushStage) -> None:
    """A turn sooner than a minute after an update writes nothing."""
    stage.publish(KEY)
    stage.push(FILES)
    stage.publish(KEY)

    early = stage.push(FILES)
    stage.wait(minutes=1)
    later = stage.push(FILES)

    assert (early.outcome, later.outcome) == (PushOutcome.SKIPPED, PushOutcome.DELIVERED)
    assert len(_pointer(stage)["updates"]) == 2


def test_after_a_day_everything_is_written_anew(stage: PushStage) -> None:
    """A full manifest is due without any change, and the pointer drops the updates before it."""
    stage.publish(KEY)
    stage.push(FILES)
    stage.wait(hours=24)
    is_wanted = stage.pusher.has_work(stage.standing(FILES), FeedExtent("4", "0", EPOCH))

    stage.push(FILES)

    assert is_wanted
    assert _pointer(stage)["updates"] == []
    assert _collected(stage) == stage.published()


def test_a_full_manifest_repairs_damage(stage: PushStage) -> None:
    """Missing files are written again, and strays below the prefix are deleted."""
    del stage.files.objects[f"{_TO}/schedules/{KEY}.json.gz"]
    stage.files.objects[f"{_TO}/schedules/stray/2026-03-28.json.gz"] = b"?"
    stage.files.objects["to/others/schedules/x"] = b"theirs"
    stage.wait(hours=24)

    stage.push(FILES)

    assert _file(stage, KEY) == stage.documents[KEY]
    assert f"{_TO}/schedules/stray/2026-03-28.json.gz" not in stage.files.objects
    assert stage.files.objects["to/others/schedules/x"] == b"theirs"


def test_after_a_gap_in_the_feed_everything_is_written_anew(stage: PushStage) -> None:
    """Trimmed rows leave no outdated file."""
    stage.publish(KEY)
    stage.publish(OTHER, removed=True)
    stage.wait(hours=2)
    stage.store.feed.trim(stage.clock())
    stage.publish(KEY)

    stage.push(FILES)

    assert [manifest["kind"] for manifest in _manifests(stage)] == ["full"]
    assert _collected(stage) == stage.published()
    assert _file(stage, OTHER) is None


def test_a_change_of_services_writes_everything_anew(stage: PushStage) -> None:
    """Files of services that the partner lost are deleted, and those of new services are written."""
    before = stage.store.partners.one("harbour")
    assert before is not None
    stage.store.partners.change(before, Partner("harbour", CREATED_AT, ("alder*", "cedar*")))
    stage.publish(KEY)

    stage.push(FILES)

    assert _file(stage, OTHER) is None
    assert _file(stage, HIDDEN) == stage.documents[HIDDEN]


def test_an_undecodable_pointer_is_replaced(stage: PushStage) -> None:
    """A full manifest and a new pointer are written."""
    stage.files.objects[f"{_TO}/latest.json"] = b'{"pointer": 1, "end": []}'
    stage.publish(KEY)

    stage.push(FILES)

    assert _collected(stage) == stage.published()


def test_an_older_pointer_is_continued(stage: PushStage) -> None:
    """If a slow writer put an older pointer back, the next update begins at that pointer's end."""
    old = stage.files.objects[f"{_TO}/latest.json"]
    stage.publish(KEY)
    stage.push(FILES)
    stage.files.objects[f"{_TO}/latest.json"] = old
    stage.wait(minutes=1)
    stage.publish(OTHER)

    stage.push(FILES)

    _, update = _manifests(stage)
    assert (update["from"], update["to"]) == ("3", "5")
    assert _collected(stage) == stage.published()


def test_without_a_bucket_nothing_is_written() -> None:
    """The problem names the setting."""
    stage = PushStage()
    stage.subscribe_files()
    stage.pusher = _without_shelf(stage)

    report = stage.push(FILES)

    assert report.outcome is PushOutcome.FAILED
    assert "SCHEDULES_FILES_BUCKET" in report.problem


def _without_shelf(stage: PushStage) -> Any:
    return replace(stage.pusher, files=replace(stage.pusher.files, files=None))


def test_equal_documents_give_equal_files(stage: PushStage) -> None:
    """A full turn does not change the bytes of an unchanged schedule."""
    before = stage.files.objects[f"{_TO}/schedules/{KEY}.json.gz"]
    stage.wait(hours=25)

    stage.push(FILES)

    assert stage.files.objects[f"{_TO}/schedules/{KEY}.json.gz"] == before


def test_files_written_during_a_full_turn_are_no_strays(stage: PushStage) -> None:
    """A file that another process writes after the listing stays."""
    stage.wait(hours=24)
    path, read = f"{_TO}/schedules/{_NEWER}.json.gz", stage.pusher.files.documents

    def documents(keys: Sequence[ScheduleKey]) -> Mapping[ScheduleKey, bytes]:
        stage.files.objects[path] = b"newer"
        return read(keys)

    stage.pusher = replace(stage.pusher, files=replace(stage.pusher.files, documents=documents))
    stage.push(FILES)

    assert stage.files.objects[path] == b"newer"


@pytest.mark.parametrize("steps", range(45))
def test_a_death_at_any_step_loses_no_file(stage: PushStage, steps: int) -> None:
    """The pointer's manifests are complete after the death, and the next turn writes the rest."""
    stage.publish(KEY)
    stage.publish(OTHER, removed=True)
    stage.publish(HIDDEN)

    stage.die_while_pushing(steps, FILES)
    _assert_consistent(stage)
    stage.publish(KEY)
    stage.push_all(FILES)

    _assert_consistent(stage)
    assert _collected(stage) == stage.published()
    assert _file(stage, KEY) == stage.documents[KEY]
    assert _file(stage, OTHER) is None


def test_an_update_has_fewer_steps_than_are_tried(stage: PushStage) -> None:
    """The test above covers every step."""
    stage.publish(KEY)
    stage.publish(OTHER, removed=True)
    stage.publish(HIDDEN)

    assert stage.die_while_pushing(44, FILES)


_DEEDS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from([KEY, OTHER, HIDDEN]), st.booleans()),
    st.tuples(st.just("push"), st.none(), st.none()),
    st.tuples(st.just("die"), st.integers(0, 40), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 40), st.none()),
    st.tuples(st.just("trim"), st.none(), st.none()),
)


@given(deeds=st.lists(_DEEDS, max_size=40))
def test_the_files_converge_to_the_published_state(deeds: list[tuple[str, Any, Any]]) -> None:
    """After any sequence of deaths, delays and trimmed rows, manifests and files match the published state."""
    stage = PushStage()
    stage.subscribe_files()
    for deed, what, more in deeds:
        if deed == "publish":
            stage.publish(what, removed=more and stage.seqs.get(what, 0) > 0)
        elif deed == "push":
            stage.push(FILES)
        elif deed == "die":
            stage.die_while_pushing(what, FILES)
        elif deed == "wait":
            stage.clock.advance(what * _HOUR)
        else:
            stage.store.feed.trim(stage.clock() - 24 * _HOUR)

    stage.clock.advance(max(LEASE_FOR, timedelta(minutes=2)))
    stage.push(FILES)
    stage.push_all(FILES)

    _assert_consistent(stage)
    assert _collected(stage) == stage.published()
    there = {name.removeprefix(f"{_TO}/schedules/") for name in stage.files.objects if "/schedules/" in name}
    assert there == {f"{key}.json.gz" for key in stage.published()}


def _assert_consistent(stage: PushStage) -> None:
    """Every manifest that the pointer names exists, covers the named positions, and ends no later than the pointer."""
    pointer = _pointer(stage)
    reached = place(pointer["full"]["end"])
    for link, manifest in zip(pointer["updates"], list(_manifests(stage))[1:], strict=True):
        assert (link["begin"], link["end"]) == (manifest["from"], manifest["to"])
        reached = max(reached, place(link["end"]))
    assert reached <= place(pointer["end"])
