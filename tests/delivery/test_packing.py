"""Documents, packed."""

import gzip

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.packing import Coding, pack


@given(st.binary(max_size=5_000))
def test_every_coding_holds_the_same_bytes(plain: bytes) -> None:
    """Whatever is packed comes out of every coding as it went in, and has the size that is said."""
    packed = pack(plain)

    unpacked = (
        zstandard.ZstdDecompressor().decompress(packed.coded(Coding.ZSTD), max_output_size=len(plain)),
        gzip.decompress(packed.coded(Coding.GZIP)),
        packed.coded(Coding.IDENTITY),
    )

    assert unpacked == (plain, plain, plain)
    assert packed.size == len(plain)


def test_packing_is_deterministic() -> None:
    """The same bytes are packed into the same bytes, in which no time is written; so their tags hold anywhere."""
    plain = b'{"broadcasts":[]}' * 100

    packed = pack(plain)

    assert packed == pack(plain)
    assert packed.gzip[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize("coding", [Coding.ZSTD, Coding.GZIP])
def test_packed_is_smaller(coding: Coding) -> None:
    """A document is smaller when it is packed."""
    plain = b'{"broadcasts":[]}' * 100

    assert len(pack(plain).coded(coding)) < len(plain) / 10
