"""What the system does: gather through ports, decide by pure functions, apply through ports.

No Dagster, no clients, no environment: an asset, a sensor, a command and a test call the same workflow.
"""
