"""What tells the workflows the time."""

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
"""Answers with an aware instant in UTC."""
