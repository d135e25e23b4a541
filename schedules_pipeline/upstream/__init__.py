"""What is read from outside: queues and the bucket on AWS, the catalogue and legacy keyspaces on Redis."""
