"""The command line ``schedules-pipeline``: one module a command or group of commands.

Belongs here: what an operator types and reads. Does not belong here: what is done about it, which is in the
workflows; a command gathers words, calls a workflow, and shows what it answered.
"""
