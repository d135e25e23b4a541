-- Removes a subscription, its progress, lease and token. The counter of tokens stays, so that an old lease is not
-- valid for a later subscription of the same name.
-- KEYS  1 subscriptions (hash)  2 push_progress (hash)  3 push_leases (zset)  4 push_tokens (hash)
-- ARGV  1 name
-- Reply: 1 if it existed, else 0
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
