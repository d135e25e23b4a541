"""Asks the delivery service whether it has schedules to serve."""

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from schedules_pipeline.errors import ServiceError

_TIMEOUT = Timeout(connect=3.0, read=5.0)
_OK, _UNAVAILABLE = 200, 503


def is_ready(address: str) -> bool:
    """Whether the service at this address has schedules to serve.

    Raises :class:`ServiceError` if it does not answer, or if another server does.
    """
    url = f"{address.rstrip('/')}/health/ready"
    try:
        answer = PoolManager(retries=False, timeout=_TIMEOUT).request("GET", url, redirect=False)
        document = answer.json()
    except (HTTPError, ValueError) as error:
        raise ServiceError(f"the delivery service at {address}: {type(error).__name__}: {error}") from error
    if answer.status not in (_OK, _UNAVAILABLE) or not isinstance(document, dict) or "ready" not in document:
        raise ServiceError(f"the delivery service at {address}: status {answer.status}, which is not its own")
    return answer.status == _OK
