"""Complaints about a document, in one line."""

from pydantic import ValidationError
from pydantic_core import from_json

_SHOWN = 3


def require_finite(content: bytes) -> None:
    """Raises ``ValueError`` for NaN and infinite numbers, which are no JSON, and which pydantic's models accept in
    members that they ignore.
    """
    if b"NaN" in content or b"Infinity" in content:
        from_json(content, allow_inf_nan=False)


def summarise(error: ValidationError) -> str:
    """The first three complaints, each with its place; none quotes the value."""
    complaints = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [f"{'.'.join(map(str, c['loc'])) or 'document'}: {c['msg']}" for c in complaints[:_SHOWN]]
    more = len(complaints) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def explain(error: Exception) -> str:
    """Why stored bytes cannot be decoded, in one line of at most 200 characters."""
    return f"{summarise(error) if isinstance(error, ValidationError) else repr(error):.200}"


def name_fields(error: Exception) -> str:
    """The fields that cannot be decoded, for documents that no log may quote."""
    found = error.errors() if isinstance(error, ValidationError) else ()
    return ", ".join(sorted({".".join(map(str, c["loc"])) for c in found} - {""}))[:200] or "the whole"
