"""The header ``Retry-After``: a number of seconds, or a date."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_MOST_DIGITS = 9


def parse_retry_after(text: str, now: datetime) -> timedelta:
    """The wait that the header asks for; zero if it cannot be decoded, or its date is past."""
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:_MOST_DIGITS]))
    try:
        at = parsedate_to_datetime(text)
        return max(timedelta(0), (at if at.tzinfo else at.replace(tzinfo=UTC)) - now)
    except (ValueError, TypeError, OverflowError):
        return timedelta(0)
