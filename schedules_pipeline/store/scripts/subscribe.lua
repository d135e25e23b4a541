-- Creates a subscription, unless its name is taken.
-- KEYS  1 subscriptions (hash)  2 push_progress (hash)
-- ARGV  1 name  2 the subscription (JSON)  3 the progress from which it starts (JSON)
-- Reply: 1 if it was created or is identical, 0 if the name is taken
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return known == ARGV[2] and 1 or 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
