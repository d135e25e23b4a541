"""The error handling of the background threads: a round that fails is logged and repeated."""

from collections.abc import Callable

import structlog

from schedules_pipeline.errors import PipelineError

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def attempt(action: Callable[[], None], name: str, *, was_failing: bool) -> bool:
    """Run one round; return whether it failed. Only the first failure and the first success after it are logged."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - if the thread ended, partners would read old data without an alarm
        if not was_failing:
            is_defect = not isinstance(error, PipelineError)
            _log.warning(f"{name} interrupted", error=str(error), exc_info=is_defect)
        return True
    if was_failing:
        _log.info(f"{name} resumed")
    return False
