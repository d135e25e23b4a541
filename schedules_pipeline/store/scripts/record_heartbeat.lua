-- Increments the heartbeat of the keyspace, if it has an epoch.
-- KEYS  1 epoch (hash)
-- Reply: id, and the heartbeat before; nothing without an epoch
local id = redis.call('HGET', KEYS[1], 'id')
if not id then return {} end
return {id, redis.call('HINCRBY', KEYS[1], 'pulse', 1) - 1}
