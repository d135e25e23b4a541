"""Every error that this package raises on purpose, by whose fault it is and whether a retry helps.

::

    PipelineError
    ├── ContentError            theirs: the same input fails again, so it is kept aside, never retried
    │   ├── InvalidIdentifier   a text that should be a pid, a sid or a schedule key is not
    │   ├── InvalidDocument     a schedule or catalogue document that does not parse or validate
    │   ├── InvalidMessage      a notification that says nothing that we understand
    │   ├── InvalidPartner      a partner with limits or keys that cannot be
    │   └── InvalidRecord       what we keep ourselves does not read back
    ├── AttemptsExhausted       ours or theirs: a build that failed so often that it is left until somebody looks
    ├── ServiceError            the world's: it may work in a moment, so it is retried with backoff
    └── ConfigurationError      ours: stop at start-up and name the setting
"""


class PipelineError(Exception):
    """The root, for those who want to catch all of them."""


class ContentError(PipelineError):
    """What was sent to us cannot be accepted; sending the same again changes nothing."""


class InvalidIdentifier(ContentError, ValueError):
    """A pid, sid or schedule key that does not have the form of one."""


class InvalidDocument(ContentError):
    """A document that does not parse, does not validate, or is not the one its key promises."""


class InvalidMessage(ContentError):
    """A notification in no envelope that we know, or with a key that names nothing of ours."""


class InvalidPartner(ContentError, ValueError):
    """A partner whose limits are out of range, who would have too many keys, or lacks the one that was named."""


class InvalidRecord(ContentError):
    """A value in our own keyspace that we did not write: by another version of us, by hand, or damaged."""


class AttemptsExhausted(PipelineError):
    """A schedule was set aside without another try; asking again gives it a new chance."""


class ServiceError(PipelineError):
    """A store, queue or source did not answer as it should; the same call may work later."""


class ConfigurationError(PipelineError):
    """A setting is missing or contradicts another; the message names it."""
