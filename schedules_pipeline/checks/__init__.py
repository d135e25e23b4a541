"""The asset checks as Dagster shows them. The rules that they apply belong to ``publishing`` and ``migration``."""
