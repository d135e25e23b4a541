"""Guides as JSON."""

from dataclasses import replace
from datetime import datetime, timedelta

import orjson
from delivery.guides import ALDER, BIRCH, NOON, schedule, showing
from delivery.guides import key as key_of
from renderers import render_guides

from schedules_pipeline.delivery.routes.documented import Guides
from schedules_pipeline.documents.broadcasts import broadcast_fields
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.service_guide import ServiceGuide

_WINDOW = Interval(NOON, NOON + timedelta(hours=24))
_SHOWN = (showing(1, NOON), showing(2, NOON + timedelta(hours=1), episode_pid=None))
_GUIDE = ServiceGuide(ALDER, "Alder One", _WINDOW, _SHOWN, 7, NOON + timedelta(microseconds=5))


def test_guide_has_its_stretch_and_its_broadcasts() -> None:
    """A guide says whose it is, of when, in which version, and lists its broadcasts as documents spell them."""
    guides = orjson.loads(render_guides([_GUIDE]))["guides"]

    assert guides == [
        {
            "sid": "alder_one",
            "name": "Alder One",
            "start": "2026-03-10T12:00:00Z",
            "end": "2026-03-11T12:00:00Z",
            "version": 7,
            "published_at": "2026-03-10T12:00:00.000005Z",
            "broadcasts": [
                orjson.loads(orjson.dumps(broadcast_fields(shown), option=orjson.OPT_UTC_Z))
                for shown in _SHOWN
            ],
        }
    ]


def test_service_of_which_nothing_is_known_has_an_empty_guide() -> None:
    """A service that nothing is published of is listed with no broadcasts and no instant."""
    empty = ServiceGuide(BIRCH, "Birch", _WINDOW, (), 0, None)

    guides = orjson.loads(render_guides([_GUIDE, empty]))["guides"]

    assert [guide["sid"] for guide in guides] == ["alder_one", "birch_two"]
    assert (guides[1]["published_at"], guides[1]["broadcasts"]) == (None, [])


def test_instant_of_publication_is_spelled_as_in_documents() -> None:
    """The same instant reads the same, here and in the published document, on a whole second too."""
    listed = schedule(key_of(), [], published_at=NOON)

    text = orjson.loads(render_guides([replace(_GUIDE, published_at=listed.published_at)]))["guides"][0][
        "published_at"
    ]

    assert (text, datetime.fromisoformat(text)) == ("2026-03-10T12:00:00.000000Z", NOON)


def test_guide_is_as_it_is_documented() -> None:
    """A rendered guide has exactly the fields that OpenAPI describes."""
    read = Guides.model_validate_json(render_guides([_GUIDE]))

    assert read.guides[0].broadcasts[0].broadcast_pid == "w0000001"
