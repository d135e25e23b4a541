"""The command line ``schedules-pipeline``: one module for each command, or for commands about the same subject.

Belongs here: parsing of arguments, calls to workflows, and their results as text or JSON. Does not belong here: the
work itself, which is in the workflows.
"""
