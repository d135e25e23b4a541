"""The upstreams on AWS: queues in SQS, schedule documents in S3; any endpoint that speaks their API will do."""
