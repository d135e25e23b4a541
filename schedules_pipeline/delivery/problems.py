"""What a request is told where it cannot be answered: problem documents (RFC 9457), as values and one error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """``name`` becomes the type's address, ``/problems/<name>``, which explains it to people."""

    name: str
    status: int
    title: str


BAD_REQUEST = ProblemKind("bad-request", 400, "The request cannot be understood")
NO_KEY = ProblemKind("no-key", 401, "No valid API key was given")
FORBIDDEN = ProblemKind("forbidden", 403, "This key may not do that")
NOT_FOUND = ProblemKind("not-found", 404, "There is nothing there")
NOT_ALLOWED = ProblemKind("method-not-allowed", 405, "That method means nothing here")
NOT_ACCEPTABLE = ProblemKind("not-acceptable", 406, "Not in any of the formats asked for")
CURSOR_TOO_OLD = ProblemKind("cursor-too-old", 410, "Changes after this cursor are no longer all kept")
TOO_LARGE = ProblemKind("too-large", 413, "The request's body is too large")
TOO_MANY_REQUESTS = ProblemKind("too-many-requests", 429, "More requests than agreed")
DEFECT = ProblemKind("defect", 500, "A defect of this service")
UNAVAILABLE = ProblemKind("unavailable", 503, "This cannot be answered at the moment")
NOT_SWITCHED = ProblemKind("not-switched", 503, "Partners are served by the old system at present")

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
