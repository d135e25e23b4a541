"""The comparison with the old system, the parity report, and the switch. Goes when the old system goes.

Belongs here: everything that knows the legacy keyspace. Does not belong here: rules that outlive the old system.
"""
