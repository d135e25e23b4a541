"""Full passes over all stored data: coldstart, reconciliation, garbage collection. Also: dead letters.

The comparison with the old system belongs to ``migration``, the detection of problems to ``health``.
"""
