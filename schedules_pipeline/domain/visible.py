"""Which texts show anything at all. A text of invisible characters alone means the same as no text."""

import unicodedata

_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Zs", "Zl", "Zp"}
_INVISIBLE = frozenset(
    # Fillers of Hangul and Braille, joiners, and inherent vowels of Khmer, which Unicode does not class as formats.
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
) | {chr(code) for selectors in (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0)) for code in selectors}


def visible_or_empty(text: str) -> str:
    """The text, or "" if no character of it can be seen: spaces, controls, soft hyphens, marks of zero width."""
    # Most texts begin with a letter of ASCII.
    if not text or "!" <= text[0] <= "~" or any(map(_is_visible, text)):
        return text
    return ""


def _is_visible(char: str) -> bool:
    return char not in _INVISIBLE and unicodedata.category(char) not in _INVISIBLE_CATEGORIES
