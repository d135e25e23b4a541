"""The document of an export: everything that exists in the keyspace alone, as one JSON object.

It holds digests of API keys, and of a webhook what its secret is derived from. It holds neither keys nor secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from pydantic import Base64Bytes, TypeAdapter

from schedules_pipeline.documents.validation import name_fields
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.errors import ContentError, InvalidRecord
from schedules_pipeline.migration.ports import ParityPoint, ServedState
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import UsageLine
from schedules_pipeline.partners.record import PARTNER
from schedules_pipeline.publishing.ports.expectations import Expectation
from schedules_pipeline.publishing.ports.losses import Decision, Hold, LossKind
from schedules_pipeline.push.subscription import Progress, Subscription

VERSION = 1
_FORMAT = "schedules-pipeline state"


class InvalidState(ContentError):
    """A file is no export of state, or one of a newer release."""


@dataclass(frozen=True, slots=True)
class SavedSubscription:
    subscription: Subscription
    progress: Progress


@dataclass(frozen=True, slots=True)
class SavedSchedule:
    """A schedule whose source does not say what partners see: it is under a hold, or its document was rejected or has
    broadcasts in quarantine. ``accepted``: the last good source. ``covered``: its coverage. ``quarantined``: the
    summary of the broadcasts in quarantine.
    """

    accepted: Base64Bytes | None = None
    covered: Base64Bytes | None = None
    hold: Hold | None = None
    decision: Decision | None = None
    quarantined: str = ""


@dataclass(frozen=True, slots=True)
class SavedLoss:
    """A loss that was let through. ``replaced``: the source that an operator can still restore."""

    kind: LossKind
    digest: str
    seconds: int
    at: datetime
    replaced: Base64Bytes


@dataclass(frozen=True, slots=True)
class StateDocument:
    """``epoch``: that of the keyspace; "" if it had none. ``switches``: newest first. ``copies``: items that the
    catalogue has deleted or made unreadable, and the episodes of ``schedules``. ``usage``: by day in UTC.
    """

    keyspace: str
    exported_at: datetime
    epoch: str = ""
    partners: tuple[Partner, ...] = ()
    switches: tuple[ServedState, ...] = ()
    subscriptions: tuple[SavedSubscription, ...] = ()
    expectations: Mapping[Sid, Expectation] = field(default_factory=dict)
    losses: Mapping[ScheduleKey, SavedLoss] = field(default_factory=dict)
    copies: Mapping[Pid, Base64Bytes] = field(default_factory=dict)
    schedules: Mapping[ScheduleKey, SavedSchedule] = field(default_factory=dict)
    usage: Mapping[date, tuple[tuple[UsageLine, int], ...]] = field(default_factory=dict)
    parity_trend: tuple[ParityPoint, ...] = ()
    format: str = _FORMAT
    version: int = VERSION


_DOCUMENT = TypeAdapter(StateDocument)


@dataclass(frozen=True, slots=True)
class _Header:
    format: str
    version: int


_HEADER = TypeAdapter(_Header)


def render_state(state: StateDocument) -> bytes:
    return _DOCUMENT.dump_json(state, indent=1) + b"\n"


def parse_state(content: bytes) -> StateDocument:
    """Raises :class:`InvalidState`, which names wrong members and quotes nothing of the file."""
    try:
        header = _HEADER.validate_json(content)
    except ValueError:
        return _parse_partners(content)
    if header.format != _FORMAT:
        raise InvalidState("this is no export of `schedules-pipeline state export`")
    if header.version > VERSION:
        raise InvalidState(
            f"the export has version {header.version}, and this release reads up to {VERSION}: use a newer release"
        )
    try:
        return _DOCUMENT.validate_json(content)
    except ValueError as error:
        raise InvalidState(f"the export cannot be decoded: {name_fields(error)}") from None


def _parse_partners(content: bytes) -> StateDocument:
    """The partners in a file of `partners export`, which release 0.2 wrote as lines."""
    lines = [line for line in content.splitlines() if line.strip()]
    if not lines or not lines[0].endswith(b"}"):
        raise InvalidState("this is no export of `schedules-pipeline state export`, or only a part of one")
    try:
        partners = tuple(PARTNER.parse(line) for line in lines)
    except InvalidRecord as error:
        raise InvalidState(f"a line of the file cannot be decoded: {error}") from None
    return StateDocument("", max(partner.created_at for partner in partners), partners=partners)
