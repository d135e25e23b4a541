"""What a request is told where it cannot be answered: problem documents (RFC 9457), as values and one error."""

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
    "Something in the request is missing, misspelt or beyond its limit. `errors` names the "
    "parameters, where it is there. Do not repeat it as it is.",
)
NO_KEY = ProblemKind(
    "no-key",
    401,
    "No valid API key was given",
    "Every request needs a key, as `Authorization: Bearer sk_…`. This one had none, or one that is "
    "unknown, revoked or expired.",
)
FORBIDDEN = ProblemKind(
    "forbidden",
    403,
    "This key may not do that",
    "The key is valid, but this is not for its holder; or a form came from another site.",
)
NOT_FOUND = ProblemKind(
    "not-found",
    404,
    "There is nothing there",
    "No such path, or nothing published there that this key may see. `/v1/digest` lists what there is.",
)
NOT_ALLOWED = ProblemKind(
    "method-not-allowed",
    405,
    "That method means nothing here",
    "`Allow` says which methods there are.",
)
NOT_ACCEPTABLE = ProblemKind(
    "not-acceptable",
    406,
    "Not in any of the formats asked for",
    "None of the formats in `Accept` is there; `offered` lists those that are.",
)
CURSOR_TOO_OLD = ProblemKind(
    "cursor-too-old",
    410,
    "Changes after this cursor are no longer all kept",
    "Changes were missed that are not kept any more. Fetch `/v1/digest`, then what you have in "
    "another version, and go on from its cursor.",
)
TOO_LARGE = ProblemKind(
    "too-large",
    413,
    "The request's body is too large",
    "The body may have so many bytes as `detail` says.",
)
TOO_MANY_REQUESTS = ProblemKind(
    "too-many-requests",
    429,
    "More requests than agreed",
    "Ask again after `Retry-After` seconds. `violated-policies` names the limits: of a minute, of a "
    "day, or of requests that wait at one time.",
)
DEFECT = ProblemKind(
    "defect",
    500,
    "A defect of this service",
    "The fault is ours, and has been noted. Asking again may help; asking for something else will.",
)
UNAVAILABLE = ProblemKind(
    "unavailable",
    503,
    "This cannot be answered at the moment",
    "What is needed does not answer at the moment. Ask again after `Retry-After` seconds; until then "
    "use what you have.",
)
NOT_SWITCHED = ProblemKind(
    "not-switched",
    503,
    "Partners are served by the old system at present",
    "Until the switch is announced, partners read the old system; only keys for trials are answered here.",
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
    """Raised anywhere below a route; the application answers with it. ``detail`` is for the reader, and says what
    to do; ``members`` are further fields of the document.
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
