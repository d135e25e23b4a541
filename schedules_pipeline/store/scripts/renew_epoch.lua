-- Begins a new epoch of the keyspace, if it has one.
-- KEYS  1 epoch (hash)
-- ARGV  1 id of the new epoch
-- Reply: 1, or 0 without an epoch
if redis.call('HEXISTS', KEYS[1], 'id') == 0 then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[1])
return 1
