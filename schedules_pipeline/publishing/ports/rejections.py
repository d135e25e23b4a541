"""Input that was rejected: the latest rejection of every subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rejection:
    """Input that was kept aside. ``digest`` and ``put_id`` identify the refused document, so that a second
    identical delivery of a shrunken one can confirm it; ``excerpt`` is its beginning. ``confirmed_digest``
    is the digest of a shrunken one that an operator has confirmed.
    """

    reason: str
    refused_at: datetime
    digest: str
    put_id: str
    excerpt: str
    confirmed_digest: str = ""


class RejectionStore(Protocol):
    """The latest refusal of every subject: a schedule key, a pid, or a message id."""

    def keep(self, rejections: Mapping[str, Rejection]) -> None: ...

    def find(self, subjects: Sequence[str]) -> dict[str, Rejection]: ...

    def forget(self, subjects: Sequence[str]) -> None:
        """Something acceptable has come since."""

    def count(self) -> int:
        """How many subjects there are refusals of."""

    def all(self) -> dict[str, Rejection]: ...
