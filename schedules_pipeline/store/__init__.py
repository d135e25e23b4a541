"""The store on Redis: the register of keys, the scripts, one adapter for each port.

Optional: the back-reference index on DynamoDB. Only ``dynamodb.py`` and ``external_index.py`` know of it, and only
``connections.py`` imports them, if the setting ``references_home`` is ``dynamodb``.
"""
