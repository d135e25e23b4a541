"""Adapters that read upstream: queues and the bucket on AWS, the catalogue and legacy keyspaces on Redis."""
