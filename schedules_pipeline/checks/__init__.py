"""The asset check of the health. Those of the schedules are in ``assets.schedule_checks``."""
