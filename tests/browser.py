"""The browser of the tests.

Where Chromium is missing its tests are skipped at home, and fail where ``CI`` is set, unless
``SCHEDULES_WITHOUT_CHROMIUM`` says that there is none on purpose.
"""

import os
from pathlib import Path

import pytest

from demo.browser import Browser, Tab, installed_chromium

__all__ = ["Browser", "Tab", "find_chromium"]


def find_chromium() -> Path:
    """Without one the test ends here."""
    if (found := installed_chromium()) is not None:
        return found
    reason = "no Chromium: install one, or name it in SCHEDULES_CHROMIUM"
    if os.environ.get("CI") and not os.environ.get("SCHEDULES_WITHOUT_CHROMIUM"):
        pytest.fail(reason)
    pytest.skip(reason)
