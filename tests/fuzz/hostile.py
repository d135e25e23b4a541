"""Input sent by mistake or on purpose: random, or a proper document with a fault in it.

Belongs here: the inputs, as Hypothesis's strategies and as a list of extremes. Does not belong here: the parsers
(``parsers``), and their expected results.
"""

import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("SCHEDULES_FUZZ_EXAMPLES", "100"))

thoroughly = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""As many examples as this run asks for."""

TEXTS = (
    "",
    "\0",
    "line\r\nline\x0bline\u2028line",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "<script>alert(1)</script>",
    "![x](https://example.invalid/x.png) [here](javascript:alert(1)) **b** `c` _d_",
    "\u202eright to left\u202c \u200b\u200f\ufeff",
    "\ud800",
    "\udfff\ud800",
    "\U0001f600\U0010ffff",
    "{{7*7}} ${7*7} %s %n {0}",
    "'; DROP TABLE schedules; --",
    "../../etc/passwd",
    "{work}:dirty",
    "A" * 3_000,
    "Pneumono" * 200,
    "\u0663" * 8,
    "\uff10" * 8,
    "1e400",
)
"""Texts that some program somewhere took for more than a text."""

INSTANTS = (
    "9999-12-31T23:59:60Z",
    "9999-12-31T23:59:59-14:00",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "2026-02-30T06:00:00Z",
    "2026-03-28T24:00:00Z",
    "2026-03-28T06:00:00+25:00",
    "2026-03-28T06:00:00.999999999999Z",
    "2026-03-28T06:00:00",
    "2026-03-28",
    "2027-03-28T06:00:00+05:45",
    "1774677600",
    "-1",
    "now",
)

_PIDS = ("p0000001", "b0000001", "p00000a1", "P0000001", "p" * 33, "\u0663" * 8, "b0000001\n")
_ODD = (10**400, -(2**63) - 1, 2**64, 1e308, float("inf"), float("nan"), -0.0)
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\xc3\x28", b"\xed\xa0\x80", b"NaN", b"\\ud800", b"\n", b'"')

texts = st.sampled_from(TEXTS) | st.sampled_from(INSTANTS) | st.sampled_from(_PIDS) | st.text(max_size=40)

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(_ODD) | texts

values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
"""Any JSON value, and some values that only Python's reader accepts."""


def render(value: Any) -> bytes:
    """JSON as a careless program writes it: NaN as it is, half surrogates escaped."""
    return json.dumps(value).encode()


@st.composite
def mutants(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with up to three faults in its values, and perhaps one in its bytes."""
    content = draw(st.sampled_from(seeds))
    try:
        value = json.loads(content)
    except ValueError:
        return draw(_damaged(content))
    for _ in range(draw(st.integers(0, 3))):
        value = draw(_changed(value))
    return draw(st.just(render(value)) | _damaged(render(value)))


def contents(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes of every sort, most of them close to the seeds."""
    return mutants(seeds) | mutants(seeds) | values.map(render) | st.binary(max_size=200)


@st.composite
def _changed(draw: st.DrawFn, value: Any) -> Any:
    """The value with something else in one place: replaced, gone, repeated, or a level deeper."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        others = {other: value[other] for other in value if other != name}
        return others if draw(st.integers(0, 4)) == 0 else {**others, name: draw(_changed(value[name]))}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        place = draw(st.integers(0, len(value) - 1))
        instead = draw(st.sampled_from(["drop", "repeat", "change", "change"]))
        middle = {"drop": [], "repeat": [value[place]] * 2}.get(instead) or [draw(_changed(value[place]))]
        return [*value[:place], *middle, *value[place + 1 :]]
    return draw(values | st.just([value]) | st.just({"value": value}))


@st.composite
def _damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes cut off, or with something put in, taken out or said twice."""
    place = draw(st.integers(0, len(content)))
    damage: Callable[[], bytes] = draw(
        st.sampled_from(
            [
                lambda: content[:place],
                lambda: content[:place] + draw(st.sampled_from(_MARKS)) + content[place:],
                lambda: content[:place] + draw(st.binary(min_size=1, max_size=4)) + content[place + 1 :],
                lambda: content[:place] + content[place + draw(st.integers(1, 20)) :],
                lambda: _with_a_key_twice(content, draw(values)),
                lambda: b"\xef\xbb\xbf" + content,
            ]
        )
    )
    return damage()


def _with_a_key_twice(content: bytes, value: Any) -> bytes:
    """The first key of the document stands in it a second time, with another value."""
    key = re.match(rb'\{("[^"\\]*"):', content)
    return content if key is None else b"{" + key[1] + b":" + render(value) + b"," + content[1:]


def extremes(seed: bytes) -> dict[str, bytes]:
    """Inputs too large for a random search, by their excess."""
    opened = seed[:-1]
    return {
        "nothing": b"",
        "deep lists": b"[" * 100_000 + b"]" * 100_000,
        "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "a deep member": opened + b',"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "a member just within what parsers nest": opened + b',"more":' + b"[" * 180 + b"]" * 180 + b"}",
        "an open bracket without end": b"[" * 1_000_000,
        "a text of megabytes": opened + b',"more":"' + b"x" * 3_000_000 + b'"}',
        "a number of a million digits": opened + b',"more":' + b"9" * 1_000_000 + b"}",
        "an exponent of a million digits": opened + b',"more":1e' + b"9" * 1_000_000 + b"}",
        "a hundred thousand members": opened
        + b"".join(b',"m%d":0' % number for number in range(100_000))
        + b"}",
        "spaces": b" " * 3_000_000,
        "zeros": bytes(1_000_000),
        "line ends": b"\n" * 1_000_000,
        "UTF-16": seed.decode().encode("utf-16"),
    }
