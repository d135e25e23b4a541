"""The validators of dvb-i-tools, by the editor of the standard, find nothing in any answer.

They are not part of this repository: ``SCHEDULES_DVB_I_TOOLS`` names their directory, with its packages installed
(``npm install``), and ``SCHEDULES_NODE`` a Node.js that is new enough for them, if it is not ``node``.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from delivery.guides import ALDER, BIRCH
from delivery_stage import DeliveryStage
from televisions.stage import NOON_SECONDS, REGIONS, SILENT, Televisions, crid, service_id

from demo.sample import make_sample
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.partners.partner import MOST_REQUESTS_PER_MINUTE, Partner

_TOOLS = "SCHEDULES_DVB_I_TOOLS"
_ALDER, _BOTH = [("sid", service_id(ALDER))], [("sid", service_id(sid)) for sid in (ALDER, BIRCH)]
_HOURS = [("start", NOON_SECONDS - 21_600), ("end", NOON_SECONDS + 21_600)]
_EMPTY = [("start", 0), ("end", 21_600)]
_LAST_OF_ITS_BRAND = "p0000088"
_EPISODE = [("pid", crid("p0000003"))]
_QUESTIONS: list[tuple[str, str, list[tuple[str, object]]]] = [
    ("ServiceList", "services.xml", []),
    ("Time", "schedule", [*_ALDER, *_HOURS]),
    ("Time", "schedule", [*_BOTH, *_HOURS, ("inclusive", "true")]),
    ("Time", "schedule", [*_ALDER, *_EMPTY]),
    ("NowNext", "schedule", [*_ALDER, ("now_next", "true")]),
    ("NowNext", "schedule", [*_BOTH, ("now_next", "true")]),
    ("Window", "schedule", [*_ALDER, ("now_next", "window")]),
    ("ProgInfo", "programme", [*_EPISODE]),
    ("MoreEpisodes", "more-episodes", [*_EPISODE, ("type", "ondemand")]),
    ("MoreEpisodes", "more-episodes", [("pid", crid(_LAST_OF_ITS_BRAND))]),
    ("NowNext", "schedule", [("sid", service_id(SILENT)), ("now_next", "true")]),
]
"""The kind of answer, by its name in the tools; the path; and the parameters."""


def _find_faults(documents: list[tuple[str, str]], questions: Path) -> list[list[str]]:
    questions.write_text(json.dumps(documents))
    script = Path(__file__).with_name("validate.mjs")
    node = os.environ.get("SCHEDULES_NODE", "node")
    command = [node, str(script), os.environ[_TOOLS], str(questions)]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr[-2_000:]
    found: list[list[str]] = json.loads(asked.stdout)
    return found


_WITH_TOOLS = pytest.mark.skipif(
    _TOOLS not in os.environ, reason=f"{_TOOLS} names no directory of dvb-i-tools"
)


@_WITH_TOOLS
def test_validators_find_nothing(tmp_path: Path) -> None:
    """Neither errors nor warnings nor remarks, with and without regions; and they do find a fault that was put in."""
    documents = [
        (kind, Televisions(**settings).get(path, *pairs, access=Televisions(**settings).key).decode())
        for settings in ({}, REGIONS)
        for kind, path, pairs in _QUESTIONS
    ]
    spoilt = documents[1][1].replace("medium", "endless")
    *faults, expected = _find_faults([*documents, ("Time", spoilt)], tmp_path / "questions.json")

    found = {question: told for question, told in zip(_QUESTIONS_TOLD, faults, strict=True) if told}
    assert found == {}
    assert expected


@pytest.mark.long
@_WITH_TOOLS
def test_validators_find_nothing_in_the_sample(tmp_path: Path) -> None:
    """Nor in any answer about the sample broadcaster: all services by half days, now and next of each, a hundred
    programmes and their further episodes.
    """
    documents = [*_answers_about(_publish_the_sample())]
    faults = _find_faults(documents, tmp_path / "questions.json")

    assert sum(document.count("<ScheduleEvent>") for kind, document in documents if kind == "Time") > 1_000
    assert [told for told in faults if told] == []


def _publish_the_sample() -> DeliveryStage:
    """Yesterday, today and tomorrow are published, and public."""
    stage = DeliveryStage(image_url_template="https://images.example/{image_pid}.jpg")
    sample = make_sample(stage.clock().date() - timedelta(days=1), days=3, clock_change_days=False)
    for pid, document in sample.catalogue.items():
        stage.upstreams.catalogue_source.documents[Pid(pid)] = json.dumps(document).encode()
    keys = [ScheduleKey(Sid(sid), on) for sid, on in sample.schedules]
    for key in keys:
        stage.upstreams.schedule_source.put(key, json.dumps(sample.schedules[key.sid, key.date]).encode())
    cause = Cause("event-1", Origin.COLDSTART, "all", stage.clock())
    stage.pipeline.publisher.rebuild_from_sources(keys, cause)
    stage.add_partner(
        Partner("televisions", stage.clock(), requests_per_minute=MOST_REQUESTS_PER_MINUTE, is_public=True)
    )
    stage.keep_up()
    return stage


def _answers_about(stage: DeliveryStage) -> Iterator[tuple[str, str]]:
    client = stage.client(None)

    def get(path: str, *pairs: tuple[str, str]) -> str:
        answer = client.get(f"/dvb-i/televisions/{path}", params=[*pairs])
        assert answer.status_code == 200, answer.text
        return answer.text

    services = get("services.xml")
    yield "ServiceList", services
    sids = [("sid", found) for found in re.findall("<UniqueIdentifier>(.*?)<", services)]
    midnight = int(datetime.combine(stage.clock().date(), time(), UTC).timestamp())
    crids: set[str] = set()
    for start in (midnight, midnight + 43_200):
        asked = [("start", str(start)), ("end", str(start + 43_200)), ("inclusive", "true")]
        schedules = get("schedule", *sids, *asked)
        crids.update(re.findall('programId="(crid://[^/]*/[^/]*?)"', schedules))
        yield "Time", schedules
    for sid in sids:
        yield "NowNext", get("schedule", sid, ("now_next", "true"))
        yield "Window", get("schedule", sid, ("now_next", "window"))
    yield "NowNext", get("schedule", *sids, ("now_next", "true"))
    for found in sorted(crids)[:100]:
        yield "ProgInfo", get("programme", ("pid", found))
        yield "MoreEpisodes", get("more-episodes", ("pid", found))


_QUESTIONS_TOLD = [f"{kind} {pairs} {regions}" for regions in (False, True) for kind, _, pairs in _QUESTIONS]
