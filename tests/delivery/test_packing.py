"""Documents, packed."""

import gzip
import tracemalloc
from random import Random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.packing import Coding, pack


@given(st.binary(max_size=5_000))
def test_every_coding_holds_the_same_bytes(plain: bytes) -> None:
    """Any bytes survive every encoding, and the stated size is right."""
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


@pytest.mark.parametrize("size", [0, 1, 131_072, 131_073, 1_000_000])
def test_pieces_together_are_the_plain_bytes(size: int) -> None:
    """The pieces together equal the packed bytes, and no piece is large."""
    plain = Random(size).randbytes(size)

    pieces = list(pack(plain).plain_pieces())

    assert b"".join(pieces) == plain
    assert all(len(piece) <= 131_072 for piece in pieces)


def test_packed_takes_no_more_memory_than_its_bytes() -> None:
    """The library would leave the memory of the plain bytes with the compressed ones."""
    plain = Random(1).randbytes(300) * 1_000
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()

    packed = pack(plain)

    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert held < len(packed.zstd) + len(packed.gzip) + 2_000
