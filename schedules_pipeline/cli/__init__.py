"""The command line ``schedules-pipeline``: one module for each command or group of commands.

Belongs here: parsing of arguments, calls to workflows, and their results as text or JSON. Does not belong here: the
work itself, which is in the workflows.
"""
