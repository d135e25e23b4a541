"""Files in every format that a collector can ask for."""

import gzip
from datetime import UTC, datetime

import pytest
from lxml import etree

from schedules_pipeline.connections import file_formats_from
from schedules_pipeline.documents.delivered_file import FORMAT_NAMES, render_file
from schedules_pipeline.documents.partner_document import Publication, render_document
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.settings import Settings

_KEY = ScheduleKey.parse("alder_one/2026-03-28")
_CONTENT = (
    b'[{"broadcast_pid":"w0000001","version_pid":"","start":"2026-03-28T12:00:00Z","end":"2026-03-28T13:00:00Z",'
    b'"duration_seconds":3600,"is_repeat":false,"is_blanked":false,"is_signed":false,"is_audio_described":false,'
    b'"episode_pid":"p0000001","episode":{"pid":"p0000001","title":"Low Tide","synopses":{"short":"","medium":"",'
    b'"long":""},"image_pid":"","warning_text":null},"series":null,"brand":null,"title":"Low Tide","subtitle":""}]'
)
_DOCUMENT = render_document(_KEY, Publication(3, datetime(2026, 3, 27, 9, tzinfo=UTC), "ab" * 16), _CONTENT)
_FORMATS = file_formats_from(Settings(service_names=(("alder_one", "Alder 1"),)))


def test_every_name_is_a_format() -> None:
    """What operators can ask for is what can be rendered."""
    assert tuple(_FORMATS) == FORMAT_NAMES


def test_json_is_the_document_itself() -> None:
    """Byte for byte."""
    assert gzip.decompress(render_file(_FORMATS["json"], _DOCUMENT)) == _DOCUMENT


@pytest.mark.parametrize(("name", "root"), [("xmltv", "tv"), ("tva", "TVAMain")])
def test_other_formats_show_the_same_schedule(name: str, root: str) -> None:
    """The service's name and its broadcasts."""
    content = gzip.decompress(render_file(_FORMATS[name], _DOCUMENT))

    document = etree.fromstring(content)
    assert etree.QName(document).localname == root
    assert b"Low Tide" in content


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_same_document_is_the_same_file_in_every_format(name: str) -> None:
    """So a full writing changes nothing that did not change."""
    assert render_file(_FORMATS[name], _DOCUMENT) == render_file(_FORMATS[name], _DOCUMENT)
