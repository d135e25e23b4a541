-- Leases a subscription to one pusher.
-- KEYS  1 subscriptions (hash)  2 push_progress (hash)  3 push_leases (zset: until when)  4 push_tokens (hash)
--       5 push_token (string: the counter)
-- ARGV  1 name  2 now  3 end of the lease  4 1 to take it from another pusher, else 0
-- Reply: token, subscription, progress; nil if another pusher has the lease or the subscription does not exist
local subscription, progress = redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HGET', KEYS[2], ARGV[1])
if not subscription or not progress then return false end
local ends = redis.call('ZSCORE', KEYS[3], ARGV[1])
if ARGV[4] == '0' and ends and tonumber(ends) > tonumber(ARGV[2]) then return false end
local token = redis.call('INCR', KEYS[5])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[4], ARGV[1], token)
return {token, subscription, progress}
