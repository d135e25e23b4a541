"""Adapters that send: webhooks, SNS notices, files in a bucket, report files."""
