"""What is wrong with the running system, and why: conditions, incidents, metrics, liveness.

Belongs here: facts gathered, rules that judge them, and how they are shown. Does not belong here: mending
(``maintenance``).
"""
