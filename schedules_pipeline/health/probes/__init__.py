"""Active checks of the installation: what each proves, its time limit, and what to do if it fails.

Facts that the store keeps belong to the conditions (``health/rules``). Clients belong to ``store`` and ``upstream``.
"""
