"""Every error that this package raises on purpose, by who must act and whether a retry helps.

::

    PipelineError
    ├── ContentError            the sender: the same input fails again, so it is rejected and never retried
    │   ├── InvalidIdentifier   a text is not a pid, sid or schedule key
    │   ├── InvalidDocument     a schedule or catalogue document cannot be parsed or validated
    │   ├── InvalidMessage      a notification cannot be decoded
    │   ├── InvalidPartner      a partner's limits or keys are invalid
    │   └── InvalidRecord       a stored record cannot be decoded
    ├── AttemptsExhausted       the operator: a build failed so often that its schedule is quarantined
    ├── ServiceError            no one: the service may recover, so the call is retried with backoff
    │   └── NotPermitted        the operator: the role or the user lacks a permission
    └── ConfigurationError      the operator: the process stops and names the setting
"""


class PipelineError(Exception):
    """The base of all errors of this package."""


class ContentError(PipelineError):
    """Input cannot be accepted; the same input fails again."""


class InvalidIdentifier(ContentError, ValueError):
    """A text is not a valid pid, sid or schedule key."""


class InvalidDocument(ContentError):
    """A document cannot be parsed, does not validate, or does not match its key."""


class InvalidMessage(ContentError):
    """A notification has an unknown envelope, or names no schedule or catalogue item."""


class InvalidPartner(ContentError, ValueError):
    """A partner's limits are out of range, it has too many keys, or it lacks the named key."""


class InvalidRecord(ContentError):
    """A stored record cannot be decoded: it is damaged, or another program or version wrote it."""


class AttemptsExhausted(PipelineError):
    """A schedule is quarantined and was not built; an operator's request builds it again."""


class ServiceError(PipelineError):
    """A store, queue or source failed; the same call may succeed later."""


class NotPermitted(ServiceError):
    """AWS denied the call; it succeeds when the permission is granted."""


class ConfigurationError(PipelineError):
    """A setting is missing or invalid, or contradicts another; the message names it."""
