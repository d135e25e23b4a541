"""What is sent outside: webhooks, SNS notices, delivered files, report files."""
