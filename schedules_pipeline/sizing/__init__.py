"""What an installation of a given size needs: memory of Redis, machines, requests, and dollars a month.

Belongs here: formulas over constants that benchmarks measured, and dated prices. Does not belong here: measuring, which
is in ``benchmarks``. Pure.
"""
