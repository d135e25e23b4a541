"""Turns representations into responses: conditional, content-coded, rendered outside of this process."""

from asyncio import sleep
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from fractions import Fraction
from functools import lru_cache, partial
from itertools import chain
from math import ceil
from typing import Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from schedules_pipeline.delivery.negotiation import choose_coding
from schedules_pipeline.delivery.packing import (
    Coding,
    Packed,
    Piece,
    deflate,
    join_gzip,
    join_plain,
    joined_size,
    pack,
)
from schedules_pipeline.delivery.problems import BAD_REQUEST, Problem
from schedules_pipeline.delivery.representations import (
    Group,
    Rendered,
    Representation,
    Tables,
    coding_for,
    entity_tag,
    names_tag,
)
from schedules_pipeline.delivery.routes.serving import Call
from schedules_pipeline.delivery.traced_versions import FETCHED

_NOT_MODIFIED = 304
LONGEST_CONDITION: Final = 4_096
_ANY_TAG = "*"
_DATES_REMEMBERED = 4_096
_LARGE_BYTES = 262_144
_LONGEST_PAUSE_SECONDS = 1.0


async def answer(call: Call, representation: Representation) -> Response:
    """304 if the client has the representation already, else its bytes, rendered unless they are remembered."""
    request = call.request
    request.scope[FETCHED] = representation.versions
    is_joined = isinstance(representation.source, tuple | Tables)
    is_any = request.headers.get("if-none-match") == _ANY_TAG
    if is_joined or not (is_any or isinstance(representation.source, Packed)):
        # The service gives this tag only to an answer large enough for the coding, so the size need not be known.
        tag = entity_tag(representation.validator, _preferred_of(request, representation))
        if (unchanged := _not_modified(request, representation, tag)) is not None:
            return unchanged
    if isinstance(representation.source, tuple | Tables):
        coding = _preferred_of(request, representation)
        tag = entity_tag(representation.validator, coding)
        headers = {**headers_of(representation), "ETag": tag, **representation.fields()}
        if is_gzip := coding is Coding.GZIP:
            headers["Content-Encoding"] = coding
        return await _joined(call, representation, representation.source, headers, as_gzip=is_gzip)
    return respond(request, representation, await _packed(call, representation.source, representation))


async def answer_with_next(call: Call, found: Rendered, cache_control: str) -> Response:
    """A page of JSON, with a link to the next one."""
    page = found.represent("application/json", cache_control)
    following = found.following
    return await answer(call, page.linked(call.next_page(after=following)) if following else page)


def respond(request: Request, representation: Representation, packed: Packed) -> Response:
    """304 if the client has these bytes in the coding that it prefers, else the bytes."""
    coding = coding_for(_preferred(request), packed.size)
    tag = entity_tag(representation.validator, coding)
    return _not_modified(request, representation, tag) or _coded(representation, packed, coding, tag)


def _preferred_of(request: Request, representation: Representation) -> Coding:
    """Fragments are only joined as gzip, because not every client reads several frames of Zstandard."""
    if isinstance(representation.source, tuple | Tables):
        return choose_coding(request.headers.get("accept-encoding", ""), (Coding.GZIP,))
    return _preferred(request)


def _preferred(request: Request) -> Coding:
    return choose_coding(request.headers.get("accept-encoding", ""))


def _not_modified(request: Request, representation: Representation, tag: str) -> Response | None:
    """304 if the client has the bytes with this tag, else None. ``If-None-Match`` counts before a date."""
    asked = request.headers.get("if-none-match")
    if asked and len(asked) > LONGEST_CONDITION:
        raise Problem(BAD_REQUEST, f"`If-None-Match` is longer than {LONGEST_CONDITION} characters.")
    if asked and (asked == _ANY_TAG or names_tag(asked, tag)):
        return Response(status_code=_NOT_MODIFIED, headers={**headers_of(representation), "ETag": tag})
    if not asked and representation.is_dated and _is_as_old(request, representation.last_modified):
        return Response(status_code=_NOT_MODIFIED, headers=headers_of(representation))
    return None


def _is_as_old(request: Request, last_modified: datetime | None) -> bool:
    """Whether the client's copy is of that time or later. RFC 9110 wants a date that cannot be read ignored."""
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return (
        last_modified is not None
        and since.tzinfo is not None
        and last_modified.replace(microsecond=0) <= since
    )


async def answer_gzipped(call: Call, representation: Representation, media_type: str) -> Response:
    """The bytes as a gzip file, which has a validator of its own."""
    file = replace(representation, validator=f"{representation.validator}.file", media_type=media_type)
    call.request.scope[FETCHED] = representation.versions
    tag = entity_tag(file.validator, Coding.IDENTITY)
    if (unchanged := _not_modified(call.request, file, tag)) is not None:
        return unchanged
    headers = {**headers_of(file), "ETag": tag, **file.fields()}
    if isinstance(file.source, tuple | Tables):
        return await _joined(call, file, file.source, headers, as_gzip=True)
    packed = await _packed(call, file.source, representation)
    return Response(packed.coded(Coding.GZIP), headers=headers, media_type=media_type)


def headers_of(representation: Representation) -> dict[str, str]:
    """The headers that do not depend on the coding."""
    headers = {
        "Cache-Control": representation.cache_control,
        "Vary": representation.vary,
    }
    if representation.last_modified is not None:
        headers["Last-Modified"] = _http_date(representation.last_modified)
    return headers


@lru_cache(_DATES_REMEMBERED)
def _http_date(instant: datetime) -> str:
    return format_datetime(instant, usegmt=True)


def _coded(representation: Representation, packed: Packed, coding: Coding, tag: str) -> Response:
    headers = {**headers_of(representation), "ETag": tag, **representation.fields()}
    if coding is not Coding.IDENTITY:
        headers["Content-Encoding"] = coding
    elif packed.size > _LARGE_BYTES:
        headers["Content-Length"] = str(packed.size)
        return StreamingResponse(_pieces(packed), headers=headers, media_type=representation.media_type)
    return Response(packed.coded(coding), headers=headers, media_type=representation.media_type)


async def _pieces(packed: Packed) -> AsyncIterator[bytes]:
    """Each piece is made once the one before it is sent, so that a client that does not read holds no memory."""
    for piece in packed.plain_pieces():
        yield piece


async def _joined(
    call: Call,
    representation: Representation,
    source: tuple[Group, ...] | Tables,
    headers: dict[str, str],
    *,
    as_gzip: bool,
) -> Response:
    """Each group is rendered when the client has taken those before it. The first two are rendered here, so that an
    overloaded service says so; a later failure ends the connection, and what was rendered stays remembered.

    HTTP/1.0 cannot tell an answer without a length that ends early from a complete one, so its length is found first.
    A request for the head renders nothing.
    """
    if call.request.scope.get("is_head"):
        return StreamingResponse(join_plain(_each(())), headers=headers, media_type=representation.media_type)
    groups = await _groups(call, source) if isinstance(source, Tables) else source
    cost = sum((_cost(call, group) for group in groups), call.charged)
    for group in groups[:2]:
        await _pieces_of(call, group, call.render)
    call.announce(ceil(cost))
    has_length = call.request.scope["http_version"] == "1.0"
    pieces = _in_turn(call, groups, is_sent=not has_length)
    if has_length:
        made = [each async for each in pieces]
        headers["Content-Length"] = str(joined_size(list(chain(*made)), as_gzip=as_gzip))
        pieces = _each(made)
    body = join_gzip(pieces) if as_gzip else join_plain(pieces)
    return StreamingResponse(body, headers=headers, media_type=representation.media_type)


async def _groups(call: Call, tables: Tables) -> tuple[Group, ...]:
    """Which entries each service has is known once those before it are, and is asked of a remembered piece."""
    entries, known = [], set[str]()
    for one in tables.contributions:
        ids, _ = await _pieces_of(call, (one.ids, one.schedule), call.render)
        own = frozenset(ids.plain().decode().splitlines())
        entries.append((one.entries(own & known),))
        known |= own
    schedules = [(schedule,) for schedule in tables.schedules]
    return ((tables.start,), *entries, (tables.between,), *schedules, (tables.end,))


async def _each(groups: Sequence[Sequence[Piece]]) -> AsyncGenerator[Sequence[Piece]]:
    for pieces in groups:
        yield pieces


async def _in_turn(call: Call, groups: Sequence[Group], *, is_sent: bool) -> AsyncGenerator[Sequence[Piece]]:
    """At the pace of the partner's tokens, so that a large answer, however often it is asked for, rejects no other
    request of the partner; but fast enough that no client takes the connection for dead. Without pauses unless each
    piece ``is_sent`` at once, because the client waits for the first byte meanwhile.
    """
    for group in groups:
        if is_sent and _cost(call, group):
            await sleep(min(call.seconds_to_spare(), _LONGEST_PAUSE_SECONDS))
        yield await _pieces_of(call, group, call.render_next)


def _cost(call: Call, group: Group) -> Fraction:
    """Of the pieces that are not remembered."""
    find = call.serving.pieces.find
    return sum((one.cost for one in group if one.cost and find(one.validator) is None), Fraction())


async def _pieces_of(
    call: Call, group: Group, render: Callable[..., Coroutine[object, object, Sequence[Piece]]]
) -> list[Piece]:
    """The partner that has them made pays for all that wait for them."""
    by_validator = {fragment.validator: fragment for fragment in group}

    async def make(validators: Sequence[str]) -> Sequence[Piece]:
        fragments = [by_validator[validator] for validator in validators]
        cost = sum((fragment.cost for fragment in fragments), Fraction())
        return await render(cost, partial(_render_pieces, [fragment.source for fragment in fragments]))

    return await call.serving.pieces.find_or_make([fragment.validator for fragment in group], make)


def _render_pieces(sources: Sequence[Callable[[], bytes]]) -> list[Piece]:
    return [deflate(source()) for source in sources]


async def _packed(call: Call, source: Packed | Callable[[], bytes], representation: Representation) -> Packed:
    """The partner that asks first pays for all that wait for the same answer."""
    if isinstance(source, Packed):
        return source

    async def make(_: object) -> Sequence[Packed]:
        return [await call.render(representation.cost, partial(_render_packed, source))]

    (packed,) = await call.serving.cache.find_or_make([representation.validator], make)
    return packed


def _render_packed(render: Callable[[], bytes]) -> Packed:
    return pack(render())
