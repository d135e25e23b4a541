"""The encodings of objects: undone, bounded, and rejected where they are unknown or damaged."""

import codecs
import gzip

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.content_encoding import decode_content
from schedules_pipeline.errors import InvalidDocument

_PLAIN = b'{"sid": "alder"}'
_MOST = 10_000


def _zstd(content: bytes) -> bytes:
    return zstandard.compress(content)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        pytest.param(_PLAIN, "", id="none"),
        pytest.param(_PLAIN, "identity", id="identity"),
        pytest.param(_PLAIN, "aws-chunked", id="of an upload"),
        pytest.param(gzip.compress(_PLAIN), "gzip", id="gzip"),
        pytest.param(gzip.compress(_PLAIN), " GZip ", id="gzip in capitals"),
        pytest.param(gzip.compress(_PLAIN), "x-gzip", id="old name"),
        pytest.param(gzip.compress(_PLAIN), "aws-chunked,gzip", id="gzip of an upload"),
        pytest.param(_zstd(_PLAIN), "zstd", id="zstd"),
        pytest.param(gzip.compress(gzip.compress(_PLAIN)), "gzip, gzip", id="twice"),
        pytest.param(_zstd(gzip.compress(_PLAIN)), "gzip, zstd", id="gzip, then zstd"),
        pytest.param(gzip.compress(_zstd(_PLAIN)), "zstd,,identity, gzip", id="zstd, then gzip"),
        pytest.param(gzip.compress(_PLAIN[:5]) + gzip.compress(_PLAIN[5:]), "gzip", id="members"),
        pytest.param(gzip.compress(_PLAIN) + b"\0" * 10, "gzip", id="padded"),
        pytest.param(_zstd(_PLAIN[:5]) + _zstd(_PLAIN[5:]), "zstd", id="frames"),
        pytest.param(
            zstandard.ZstdCompressor(write_content_size=False).compress(_PLAIN), "zstd", id="unknown size"
        ),
        pytest.param(codecs.BOM_UTF8 + _PLAIN, "", id="byte-order mark"),
        pytest.param(gzip.compress(codecs.BOM_UTF8 + _PLAIN), "gzip", id="byte-order mark in gzip"),
    ],
)
def test_encodings_are_undone(content: bytes, encoding: str) -> None:
    """The last encoding is undone first; a byte-order mark is skipped."""
    assert decode_content(content, encoding, _MOST) == _PLAIN


@pytest.mark.parametrize(
    ("content", "encoding", "complaint"),
    [
        pytest.param(_PLAIN, "br", "the Content-Encoding 'br' is unknown", id="unknown"),
        pytest.param(_PLAIN, "gzip, deflate", "the Content-Encoding 'deflate' is unknown", id="one unknown"),
        pytest.param(_PLAIN, "utf-8", "the Content-Encoding 'utf-8' is unknown", id="a charset"),
        pytest.param(_PLAIN, "x" * 500, f"the Content-Encoding '{'x' * 40}' is unknown", id="long"),
        pytest.param(_PLAIN, ",".join(["gzip"] * 4), "names 4 encodings; the most are 3", id="many"),
        pytest.param(_PLAIN, "gzip", "cannot be decoded as gzip", id="not gzip"),
        pytest.param(
            gzip.compress(_PLAIN)[:-3], "gzip", "gzip, its Content-Encoding: it is cut off", id="cut gzip"
        ),
        pytest.param(
            gzip.compress(_PLAIN) + b"more", "gzip", "cannot be decoded as gzip", id="gzip and more"
        ),
        pytest.param(_PLAIN, "zstd", "cannot be decoded as zstd", id="not zstd"),
        pytest.param(_zstd(_PLAIN)[:-3], "zstd", "zstd, its Content-Encoding: it is cut off", id="cut zstd"),
        pytest.param(_zstd(_PLAIN) + b"more", "zstd", "cannot be decoded as zstd", id="zstd and more"),
    ],
)
def test_other_encodings_are_rejected(content: bytes, encoding: str, complaint: str) -> None:
    """The reason says which encoding, and which are known."""
    with pytest.raises(InvalidDocument) as rejected:
        decode_content(content, encoding, _MOST)

    assert complaint in str(rejected.value)


@pytest.mark.parametrize("encode", [gzip.compress, _zstd])
@pytest.mark.parametrize(("size", "is_accepted"), [(_MOST, True), (_MOST + 1, False), (50_000_000, False)])
def test_the_decoded_size_is_bounded(encode: object, size: int, *, is_accepted: bool) -> None:
    """A bomb of 50 MB is rejected like a document one byte above the limit."""
    assert callable(encode)
    content, name = encode(b" " * size), "zstd" if encode is _zstd else "gzip"

    if is_accepted:
        assert len(decode_content(content, name, _MOST)) == size
        return
    with pytest.raises(InvalidDocument, match=r"more than 10,000 bytes.*SCHEDULES_MAXIMUM_SCHEDULE_BYTES"):
        decode_content(content, name, _MOST)


def test_a_bomb_of_many_members_is_bounded() -> None:
    """The limit holds for all members or frames together."""
    for content, name in ((gzip.compress(b" " * 9_000), "gzip"), (_zstd(b" " * 9_000), "zstd")):
        with pytest.raises(InvalidDocument, match="more than 10,000 bytes"):
            decode_content(content * 100_000, name, _MOST)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "zstd", "gzip,zstd", "br", ""]))
def test_any_bytes_are_decoded_or_rejected(content: bytes, encoding: str) -> None:
    """No content raises another error."""
    try:
        assert len(decode_content(content, encoding, _MOST)) <= _MOST
    except InvalidDocument as error:
        assert str(error)  # noqa: PT017 - either outcome is right


@given(st.binary(max_size=2_000), st.lists(st.sampled_from(["gzip", "zstd"]), max_size=3))
def test_whatever_was_encoded_is_restored(content: bytes, names: list[str]) -> None:
    """Encoding and decoding give the same bytes."""
    encoded = content
    for name in names:
        encoded = gzip.compress(encoded) if name == "gzip" else _zstd(encoded)

    assert decode_content(encoded, ", ".join(names), _MOST) == content.removeprefix(codecs.BOM_UTF8)
