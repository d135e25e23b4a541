"""The validators of dvb-i-tools, by the editor of the standard, find nothing in any answer.

They are not part of this repository: ``SCHEDULES_DVB_I_TOOLS`` names their directory, with its packages installed
(``npm install``), and ``SCHEDULES_NODE`` a Node.js that is new enough for them, if it is not ``node``.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from delivery.guides import ALDER, BIRCH
from televisions.stage import NOON_SECONDS, REGIONS, Televisions, crid, service_id

_TOOLS = "SCHEDULES_DVB_I_TOOLS"
_ALDER, _BOTH = [("sid", service_id(ALDER))], [("sid", service_id(sid)) for sid in (ALDER, BIRCH)]
_HOURS = [("start", NOON_SECONDS - 21_600), ("end", NOON_SECONDS + 21_600)]
_EMPTY = [("start", 0), ("end", 21_600)]
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


@pytest.mark.skipif(_TOOLS not in os.environ, reason=f"{_TOOLS} names no directory of dvb-i-tools")
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


_QUESTIONS_TOLD = [f"{kind} {pairs} {regions}" for regions in (False, True) for kind, _, pairs in _QUESTIONS]
