"""Webhook addresses may contain tokens. These functions keep them out of errors and logs."""

import logging
import re

from urllib3.exceptions import HTTPError, MaxRetryError

from schedules_pipeline.outbound.checked_addresses import AddressNotAllowed

_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.poolmanager")
_PATH = re.compile(r"/[^\s\"']*")


def keep_addresses_out_of_logs() -> None:
    """Redact paths in every record of urllib3, which logs the path of each request and of each retry."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_redact)


def error_kind(error: HTTPError) -> str:
    """The class of the underlying error; the text of most would name the address."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return str(reason) if isinstance(reason, AddressNotAllowed) else type(reason).__name__


def _redact(record: logging.LogRecord) -> bool:
    record.msg, record.args, record.exc_info = _PATH.sub("[address]", record.getMessage()), (), None
    return True
