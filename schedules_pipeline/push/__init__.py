"""Notifying subscribers of published changes, by webhooks and by files.

Belongs here: subscriptions, deliveries, signatures. Does not belong here: answering partners' requests (``delivery``).
"""
