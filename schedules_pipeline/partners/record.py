"""The record of a partner: as it is kept in the store, and line by line in an operator's backup. It holds no keys,
only their digests.
"""

from schedules_pipeline.documents.record import Record
from schedules_pipeline.partners.partner import Partner

_PARTNER = Record(Partner, "partner", is_secret=True)


def render_partner(partner: Partner) -> bytes:
    return _PARTNER.render(partner)


def parse_partner(record: bytes) -> Partner:
    """Raises :class:`InvalidRecord` if the record cannot be decoded; the error names fields and quotes nothing."""
    return _PARTNER.parse(record)
