"""Adapters that send: webhooks, SNS notices, files in a bucket, report files.

Does not belong here: what is sent, when, and how often it is repeated (``push``, ``health``, ``migration``).
"""
