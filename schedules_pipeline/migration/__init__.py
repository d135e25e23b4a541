"""The comparison with the old system, the parity report, and the switch. Removed together with the old system.

All code that knows the legacy keyspace belongs here; rules that outlive the old system do not.
"""
