"""What every adapter of AWS requires of an answer.

A gateway, a login page or another server behind a wrong endpoint may answer in place of AWS, also with status 200.
botocore then returns an empty reply, or raises almost any error. All of these are a failure of the service: the call is
retried, and nothing is concluded from the answer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from schedules_pipeline.errors import NotPermitted, PipelineError, ServiceError

_UNREADABLE = (ResponseParserError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What botocore raises if an answer has another form than its model says."""

_FOREIGN = "the answer is not from AWS: check SCHEDULES_AWS_ENDPOINT_URL, and the proxy or gateway before it"
_REMEDIES = {
    "AccessDenied": "allow the call in the policy of the role; without s3:ListBucket S3 denies absent objects too",
    "AuthorizationHeaderMalformed": "check SCHEDULES_AWS_REGION",
    "InvalidObjectState": "the object is archived: restore it",
    "NoSuchBucket": "create the bucket, or correct the setting that names it",
    "PermanentRedirect": "the bucket is in another region: check SCHEDULES_AWS_REGION",
    "QueueDoesNotExist": "create the queue, or correct the setting that names it and SCHEDULES_AWS_REGION",
}
_DENIALS = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
_SHOWN_CHARACTERS = 300


@contextmanager
def service_errors(what: str, passes: Callable[[ClientError], bool] = lambda _: False) -> Iterator[None]:
    """Raise every failure of an AWS call as :class:`ServiceError`; ``what`` names the bucket, queue or topic.

    ``passes``: which errors are defects of the caller, and pass through unchanged. Enclose the call and the reading of
    its reply, and nothing else.
    """
    try:
        yield
    except ClientError as error:
        if passes(error):
            raise
        denied = is_from_aws(error) and _code(error) in _DENIALS
        raise (NotPermitted if denied else ServiceError)(f"{what}: {_describe(error)}") from error
    except (BotoCoreError, OSError) as error:
        raise ServiceError(f"{what}: {error}") from error
    except PipelineError:
        raise
    except _UNREADABLE as error:
        reason = f"{type(error).__name__}: {error}"[:_SHOWN_CHARACTERS]
        raise ServiceError(f"{what}: the answer cannot be decoded ({reason}); {_FOREIGN}") from error


def require_from_aws(what: str, reply: Mapping[str, Any]) -> None:
    """Raises :class:`ServiceError` if the reply has no request id, which every answer of AWS has."""
    metadata = reply.get("ResponseMetadata", {})
    if not metadata.get("RequestId"):
        status = metadata.get("HTTPStatusCode", "unknown")
        raise ServiceError(f"{what}: status {status} without a request id; {_FOREIGN}")


def require_whole_object(what: str, reply: Mapping[str, Any]) -> None:
    """Raises :class:`ServiceError` if this is not the answer that S3 gives for an object."""
    require_from_aws(what, reply)
    missing = [name for name in ("LastModified", "ETag", "ContentLength") if name not in reply]
    status = reply["ResponseMetadata"].get("HTTPStatusCode")
    if missing or status != 200:  # noqa: PLR2004 - S3's status for a whole object
        raise ServiceError(f"{what}: status {status}, missing: {', '.join(missing) or 'nothing'}; {_FOREIGN}")


def is_from_aws(error: ClientError) -> bool:
    """Whether the error is one of AWS, rather than the status of something in front of it."""
    return bool(error.response.get("ResponseMetadata", {}).get("RequestId"))


def is_absent(error: ClientError) -> bool:
    """Whether S3 says that the object does not exist. A plain status of 404 does not say so."""
    metadata = error.response.get("ResponseMetadata", {})
    return (
        error.response.get("Error", {}).get("Code") == "NoSuchKey"
        and metadata.get("HTTPStatusCode") == 404  # noqa: PLR2004 - S3's status for NoSuchKey
        and "x-amz-request-id" in metadata.get("HTTPHeaders", {})
    )


def object_names(what: str, pages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The names in a listing of a bucket.

    Raises :class:`ServiceError` at a page that is not a listing, and at a listing that ends before its last page.
    """
    with service_errors(what):
        for page in pages:
            require_from_aws(what, page)
            if page["IsTruncated"] and not page.get("NextContinuationToken"):
                raise ServiceError(f"{what}: the listing ends before its last page; {_FOREIGN}")
            yield from [found["Key"] for found in page.get("Contents", [])]


def _describe(error: ClientError) -> str:
    text = str(error)[:_SHOWN_CHARACTERS]
    if not is_from_aws(error):
        return f"{text}; {_FOREIGN}"
    code = _code(error)
    return f"{text}; {_REMEDIES[code]}" if code in _REMEDIES else text


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "")).rpartition(".")[2]
