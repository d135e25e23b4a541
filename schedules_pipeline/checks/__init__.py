"""The asset checks as Dagster shows them. The rules are in ``publishing`` and ``migration``."""
