"""The stored form of documents."""

import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.stored_form import (
    apply_delta,
    compress,
    compress_all,
    decompress,
    is_frame,
    render_delta,
)

_PLAIN = b'{"broadcasts":[' + b'{"title":"One"},' * 400 + b"]}"


@given(st.binary(max_size=3_000))
def test_any_content_survives(plain: bytes) -> None:
    """A frame reads back as its content, and equal content gives an equal frame."""
    frame = compress(plain)

    assert is_frame(frame)
    assert decompress(frame) == plain
    assert compress(plain) == frame


def test_a_frame_is_readable_by_any_client() -> None:
    """It states its size and needs no dictionary."""
    parameters = zstandard.get_frame_parameters(compress(_PLAIN))

    assert (parameters.content_size, parameters.dict_id) == (len(_PLAIN), 0)
    assert parameters.window_size <= 8 << 20, "browsers accept no more"


@pytest.mark.parametrize("stored", [_PLAIN, zlib.compress(_PLAIN), zlib.compress(compress(_PLAIN))])
def test_forms_of_release_0_2_are_read(stored: bytes) -> None:
    """Plain, and by zlib, also if that release compressed a frame."""
    assert decompress(stored) == _PLAIN


@pytest.mark.parametrize(
    "damaged",
    [
        compress(_PLAIN)[:-5],
        compress(_PLAIN)[:4],
        b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 12,
        zlib.compress(_PLAIN)[:-5],
        b"",
    ],
)
def test_damaged_content_is_left_to_its_parser(damaged: bytes) -> None:
    """It is returned as it is, without an error and without the memory of the size that it states."""
    assert decompress(damaged) == damaged


@given(st.binary(max_size=2_000), st.binary(max_size=2_000))
def test_any_delta_is_read_with_its_base(plain: bytes, base: bytes) -> None:
    """With any base, also an empty one."""
    assert apply_delta(render_delta(plain, base), base) == plain


def test_a_wrong_base_is_noticed() -> None:
    """The checksum shows it; the content is not made up."""
    plain = b"".join(b'{"title":"Episode %d"}' % number for number in range(50))
    base = plain.replace(b"Episode 7", b"Episode seven")
    delta = render_delta(plain, base)

    assert len(delta) < 60
    assert apply_delta(delta, base.replace(b"Episode 3", b"Episode 4")) is None
    assert apply_delta(b"no frame", base) is None


@given(st.binary(max_size=200), st.sampled_from([b"", b"x", b"\x28\xb5\x2f\xfd", compress(_PLAIN)[:60]]))
def test_any_stored_bytes_are_read_without_an_error(rest: bytes, start: bytes) -> None:
    """Whatever Redis holds, one damaged schedule does not fail its batch."""
    stored = start + rest

    assert isinstance(decompress(stored), bytes)
    assert isinstance(apply_delta(stored, _PLAIN), bytes | None)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_contents_that_are_compressed_together_have_the_same_frames(contents: list[bytes]) -> None:
    """Each has the frame that it has alone, and empty content stays empty."""
    assert compress_all(contents) == [compress(content) if content else b"" for content in contents]
