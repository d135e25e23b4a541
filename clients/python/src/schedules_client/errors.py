"""Every error of the library. The message says what to do; none has the API key in it.

.. code-block:: text

    SchedulesError
    ├── ConfigurationError   the caller: an argument or a variable is missing or unusable
    ├── KeyRejected          the caller: the service does not accept the key
    ├── WrongAddress         the caller: something else answers at the address
    ├── RequestRejected      the library: the service does not understand it
    ├── Unavailable          the service or the network; trying later helps
    └── StoreError           the local file
        └── StoreInUse       another process or loop writes it
"""


class SchedulesError(Exception):
    """Any error of this library."""


class ConfigurationError(SchedulesError):
    """The address, the key or another argument is missing or unusable."""


class KeyRejected(SchedulesError):
    """The service does not accept the key."""


class WrongAddress(SchedulesError):
    """Something answers at the address that is not the delivery service."""


class RequestRejected(SchedulesError):
    """The service rejects a request that the library made."""


class Unavailable(SchedulesError):
    """The service was not reached, or had no answer, for as long as the caller wanted to wait."""


class StoreError(SchedulesError):
    """The file of the local store cannot be used."""


class StoreInUse(StoreError):
    """Another process, or another loop of this one, keeps the store current."""
