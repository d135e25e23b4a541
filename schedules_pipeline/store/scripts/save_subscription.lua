-- Saves the progress of a subscription, if its lease is still held under this token.
-- KEYS  1 subscriptions (hash)  2 push_progress (hash)  3 push_leases (zset)  4 push_tokens (hash)
-- ARGV  1 name  2 token  3 end of the lease  4 the progress (JSON)  5 the subscription (JSON), or "" for no change
-- Reply: 1 if it was saved, else 0
if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[5]) end
return 1
