"""Everything that the system stores, on Redis: the register of keys, the scripts, one module a port; and the
back-reference index on DynamoDB.
"""
