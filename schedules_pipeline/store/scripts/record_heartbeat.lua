-- Lets the pulse of our keyspace grow by one, where it has an epoch.
-- KEYS  1 epoch (hash)
-- Reply: id and pulse as they were before, or nothing
local id = redis.call('HGET', KEYS[1], 'id')
if not id then return {} end
return {id, redis.call('HINCRBY', KEYS[1], 'pulse', 1) - 1}
