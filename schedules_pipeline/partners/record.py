"""The record of a partner: as it is kept in the store, and line by line in an operator's backup. It has no keys in
it, only their digests.
"""

from pydantic import TypeAdapter, ValidationError

from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.partners.partner import Partner

_PARTNER = TypeAdapter(Partner)


def render_partner(partner: Partner) -> bytes:
    """One line of JSON."""
    return _PARTNER.dump_json(partner)


def parse_partner(record: bytes) -> Partner:
    """Raise :class:`InvalidRecord` for what is none. Unknown fields are ignored, missing ones have their defaults.

    The error does not quote the record: whoever reads a log has no business with it.
    """
    try:
        return _PARTNER.validate_json(record)
    except ValidationError as error:
        fields = sorted({".".join(map(str, problem["loc"])) or "the whole" for problem in error.errors()})
        raise InvalidRecord(f"not the record of a partner: {', '.join(fields)[:200]}") from None
