-- Confirms a coldstart, which can then no longer be rejected.
-- KEYS  1 book (hash)
-- ARGV  1 id
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'settled', 1)
return 1
