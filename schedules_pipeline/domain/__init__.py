"""Pure rules of broadcasting: identifiers, broadcast days, ancestry, titles, findings.

Belongs here: values and functions that need neither input nor output. They import no library and read no clock.
Does not belong here: bytes (``documents``) and anything that stores, fetches or sends.
"""
