"""What is normal for each service and weekday, learned from what was published: learning it, and reporting outliers.

The values that others use are in ``publishing/ports/expectations.py``. Only this room imports pandas for them.
"""
