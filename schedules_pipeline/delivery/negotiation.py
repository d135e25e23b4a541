"""Which format and coding a request gets, by the weights of ``Accept`` and ``Accept-Encoding`` (RFC 9110, 12.5)."""

from collections.abc import Sequence
from functools import lru_cache

from schedules_pipeline.delivery.packing import Coding
from schedules_pipeline.delivery.problems import NOT_ACCEPTABLE, NOT_FOUND, Problem
from schedules_pipeline.documents.guide_formats import GuideFormat

_LONGEST_FIELD = 1_000
_FIELDS_REMEMBERED = 256


def choose_format(formats: Sequence[GuideFormat], name: str, accept: str) -> GuideFormat:
    """The format of that name or, if ``name`` is "", the one that ``Accept`` prefers.

    Raises :class:`Problem` if there is no such format.
    """
    if name:
        return _named(formats, name)
    media_types = [media_type for each in formats for media_type in each.requested_as]
    chosen = choose_media_type(accept, media_types)
    for each in formats:
        if chosen in each.requested_as:
            return each
    raise Problem(
        NOT_ACCEPTABLE, f"The available formats are {', '.join(media_types)}.", {"offered": media_types}
    )


def _named(formats: Sequence[GuideFormat], name: str) -> GuideFormat:
    for each in formats:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in formats)
    raise Problem(NOT_FOUND, f"There is no format {name[:40]!r}; the formats are {names}.")


def choose_media_type(accept: str, offers: Sequence[str]) -> str | None:
    """The offer of the greatest weight, the first of equals; the first of all if the field is empty; None if every
    offer is excluded.
    """
    weights = _weights(accept)
    if not weights:
        return offers[0]
    weighted = [(_weight_of(offer, weights), offer) for offer in offers]
    best = max(weight for weight, _ in weighted)
    return next(offer for weight, offer in weighted if weight == best) if best > 0 else None


def choose_coding(accept_encoding: str, offered: tuple[Coding, ...] = (Coding.ZSTD, Coding.GZIP)) -> Coding:
    """The coding of the greatest weight, the first of equals; identity if the field is empty or excludes all."""
    return _choose_coding(accept_encoding[:_LONGEST_FIELD], offered)


@lru_cache(_FIELDS_REMEMBERED)
def _choose_coding(accept_encoding: str, offered: tuple[Coding, ...]) -> Coding:
    weights = _weights(accept_encoding)
    others = weights.get("*", 0.0)
    weighted = [(weights.get(coding, others), coding) for coding in offered]
    # Identity is acceptable without being named, and then the last choice.
    weighted.append((weights.get(Coding.IDENTITY, 0.0), Coding.IDENTITY))
    best = max(weight for weight, _ in weighted)
    return next(coding for weight, coding in weighted if weight == best) if best > 0 else Coding.IDENTITY


def _weight_of(offer: str, weights: dict[str, float]) -> float:
    """The weight of the most specific range that covers the offer."""
    kind = offer.partition("/")[0]
    for media_range in (offer, f"{kind}/*", "*/*"):
        if media_range in weights:
            return weights[media_range]
    return 0.0


def _weights(field: str) -> dict[str, float]:
    """Ignores parameters other than ``q``. A weight that cannot be parsed is 0."""
    weights: dict[str, float] = {}
    for part in field[:_LONGEST_FIELD].lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name:
            weights[name] = _weight(parameters)
    return weights


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            return _number(parameter[2:])
    return 1.0


def _number(text: str) -> float:
    """From 0 to 1; 0 for any other text. Accepts more than RFC 9110, because Java's client sends ``.2``."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 <= number <= 1 else 0.0
