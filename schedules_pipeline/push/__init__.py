"""Webhooks and files: telling subscribers what was published.

Belongs here: subscriptions, deliveries, signatures. Does not belong here: answering requests (``delivery``).
"""
