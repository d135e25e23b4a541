"""Which of several offers somebody takes, by the weights of an ``Accept`` or ``Accept-Encoding`` field (RFC 9110)."""

from collections.abc import Sequence
from functools import lru_cache

from schedules_pipeline.delivery.packing import Coding

_LONGEST_FIELD = 1_000
_FIELDS_REMEMBERED = 256


def choose_media_type(accept: str, offers: Sequence[str]) -> str | None:
    """The offer with the greatest weight, the first of equals, or of all where nothing is said; None where none is
    wanted.
    """
    weights = _weights(accept)
    if not weights:
        return offers[0]
    weighted = [(_weight_of(offer, weights), offer) for offer in offers]
    best = max(weight for weight, _ in weighted)
    return next(offer for weight, offer in weighted if weight == best) if best > 0 else None


def choose_coding(accept_encoding: str) -> Coding:
    """The one with the greatest weight, the smallest of equals; plain where nothing is said. Plain also where even
    that is refused.
    """
    return _choose_coding(accept_encoding[:_LONGEST_FIELD])


@lru_cache(_FIELDS_REMEMBERED)
def _choose_coding(accept_encoding: str) -> Coding:
    weights = _weights(accept_encoding)
    others = weights.get("*", 0.0)
    # Of the plain one nothing needs to be said, and then it is what is taken last.
    weighted = [(weights.get(coding, others), coding) for coding in (Coding.ZSTD, Coding.GZIP)]
    weighted.append((weights.get(Coding.IDENTITY, 0.0), Coding.IDENTITY))
    best = max(weight for weight, _ in weighted)
    return next(coding for weight, coding in weighted if weight == best) if best > 0 else Coding.IDENTITY


def _weight_of(offer: str, weights: dict[str, float]) -> float:
    """The most specific range that covers it decides."""
    kind = offer.partition("/")[0]
    for wanted in (offer, f"{kind}/*", "*/*"):
        if wanted in weights:
            return weights[wanted]
    return 0.0


def _weights(field: str) -> dict[str, float]:
    """Parameters other than the weight are passed over; what cannot be read has the weight 0."""
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
    """Between 0 and 1; 0 for anything else. More is taken than RFC 9110 allows: ``.2`` is what Java's client sends."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 <= number <= 1 else 0.0
