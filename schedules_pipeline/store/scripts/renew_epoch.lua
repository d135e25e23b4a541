-- Begins another life of our keyspace, where it has one.
-- KEYS  1 epoch (hash)
-- ARGV  1 its id
-- Reply: 1, or 0 where there is no epoch
if redis.call('HEXISTS', KEYS[1], 'id') == 0 then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[1])
return 1
