"""Which texts show anything at all. A text of invisible characters alone means the same as no text.

The one rule for every output: the projection of catalogue documents applies it, so titles, synopses and warnings that
reach an output are either empty or have something to show.
"""

import re

_INVISIBLE = (
    # Controls, spaces, line ends, and marks that only format: the categories Cc, Cf, Zs, Zl and Zp.
    "\x00-\x20\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a"
    # Letters and marks that Unicode tells displays to leave out (Default_Ignorable_Code_Point): joiners, fillers of
    # Hangul, inherent vowels of Khmer, variation selectors, tags.
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
    # The Braille pattern without dots.
    "\u2800"
    # Surrogates, and code points that are no characters, which XML cannot hold.
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
)
_VISIBLE = re.compile(f"[^{_INVISIBLE}]")


def visible_or_empty(text: str) -> str:
    """The text, or "" if no character of it can be seen: spaces, controls, soft hyphens, marks of zero width."""
    return text if _VISIBLE.search(text) else ""
