"""Full passes over everything that is stored: coldstart, reconcile, garbage collection; and dead letters.

Belongs here: work that looks at more than one event touches. Does not belong here: the comparison with the old
system (``migration``) and finding out that something is wrong (``health``).
"""
