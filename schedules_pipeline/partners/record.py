"""The record of a partner, in the store and as a line of a backup. It holds digests of keys and no keys."""

from schedules_pipeline.documents.record import Record
from schedules_pipeline.partners.partner import Partner

PARTNER = Record(Partner, "partner", is_secret=True)
