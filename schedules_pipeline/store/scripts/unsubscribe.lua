-- Removes a subscription with everything that is kept of it. Its token goes too: the counter of tokens stays, so whoever
-- has the lease of it has none of a later one of that name.
-- KEYS  1 subscriptions (hash)  2 push_progress (hash)  3 push_leases (zset)  4 push_tokens (hash)
-- ARGV  1 name
-- Reply: 1 if there was one, else 0
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
