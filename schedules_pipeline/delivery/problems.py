"""Problem documents (RFC 9457), as values and as one error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """``name`` becomes the type's address, ``/problems/<name>``, which gives the ``explanation`` to people."""

    name: str
    status: int
    title: str
    explanation: str


BAD_REQUEST = ProblemKind(
    "bad-request",
    400,
    "The request cannot be understood",
    "A part of the request is missing, misspelt or beyond its limit. `errors`, if present, names the "
    "parameters. Do not repeat the request unchanged.",
)
NO_KEY = ProblemKind(
    "no-key",
    401,
    "No valid API key",
    "Every request needs a key, as `Authorization: Bearer sk_…`. This request had no key, or a key that is "
    "unknown, revoked or expired.",
)
FORBIDDEN = ProblemKind(
    "forbidden",
    403,
    "Not allowed with this key",
    "The key is valid but does not give access to this; or another site sent the form.",
)
NOT_FOUND = ProblemKind(
    "not-found",
    404,
    "Not found",
    "The path does not exist, or it has no published schedule that this key may read. `/v1/digest` lists all "
    "schedules that the key may read.",
)
NOT_ALLOWED = ProblemKind(
    "method-not-allowed",
    405,
    "Method not allowed",
    "`Allow` lists the methods of this path.",
)
NOT_ACCEPTABLE = ProblemKind(
    "not-acceptable",
    406,
    "None of the requested formats is available",
    "No format in `Accept` is available; `offered` lists the available ones.",
)
CURSOR_TOO_OLD = ProblemKind(
    "cursor-too-old",
    410,
    "The cursor is too old",
    "Some changes after this cursor have been deleted. Fetch `/v1/digest`, then every schedule whose version "
    "differs from yours, and continue from the digest's cursor.",
)
TOO_LARGE = ProblemKind(
    "too-large",
    413,
    "The request body is too large",
    "`detail` states the limit in bytes.",
)
TOO_MANY_REQUESTS = ProblemKind(
    "too-many-requests",
    429,
    "Too many requests",
    "Retry after `Retry-After` seconds. `violated-policies` names the exceeded limit: requests in a minute, of which "
    "expensive ones count as several; requests in a day; requests that wait for changes; or requests that wait to be "
    "rendered.",
)
DEFECT = ProblemKind(
    "defect",
    500,
    "Internal error",
    "The service has a defect, which has been logged. A retry may succeed.",
)
UNAVAILABLE = ProblemKind(
    "unavailable",
    503,
    "Temporarily unavailable",
    "The service cannot read the data at the moment. Retry after `Retry-After` seconds; until then, use your "
    "copy.",
)
NOT_SWITCHED = ProblemKind(
    "not-switched",
    503,
    "The old system still serves partners",
    "Until the switch is announced, partners read the old system. This service answers trial keys only.",
)

KINDS = (
    BAD_REQUEST,
    NO_KEY,
    FORBIDDEN,
    NOT_FOUND,
    NOT_ALLOWED,
    NOT_ACCEPTABLE,
    CURSOR_TOO_OLD,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    DEFECT,
    UNAVAILABLE,
    NOT_SWITCHED,
)


@dataclass
class Problem(Exception):
    """The application answers a request with it. ``detail`` tells the reader what to do; ``members`` are further
    fields of the document.
    """

    kind: ProblemKind
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "type": f"/problems/{self.kind.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            **self.members,
        }
