"""A complete and current local copy of a broadcaster's programme schedules.

.. code-block:: python

    from schedules_client import Client

    client = Client("schedules.db")  # address and key from the environment
    client.sync()

Belongs here: the protocol of a partner (``conversation``, without any input or output), its two shells (``client``,
``async_client``), the local copy in SQLite, and XMLTV from it. Does not belong here: anything of the service.
"""

from schedules_client.async_client import AsyncClient
from schedules_client.client import Client
from schedules_client.errors import (
    ConfigurationError,
    KeyRejected,
    RequestRejected,
    SchedulesError,
    StoreError,
    StoreInUse,
    Unavailable,
    WrongAddress,
)
from schedules_client.local_copy import LocalCopy
from schedules_client.model import Broadcast, Change, Episode, NowNext, Parent, Schedule, Service
from schedules_client.xmltv import XmltvOptions

__all__ = [
    "AsyncClient",
    "Broadcast",
    "Change",
    "Client",
    "ConfigurationError",
    "Episode",
    "KeyRejected",
    "LocalCopy",
    "NowNext",
    "Parent",
    "RequestRejected",
    "Schedule",
    "SchedulesError",
    "Service",
    "StoreError",
    "StoreInUse",
    "Unavailable",
    "WrongAddress",
    "XmltvOptions",
]
