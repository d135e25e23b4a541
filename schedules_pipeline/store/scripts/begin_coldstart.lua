-- Ends the preparation of a coldstart, whose work is completely listed.
-- KEYS  1 book (hash)  2 left (zset)
-- ARGV  1 id  2 now
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'stage') ~= 'preparing' then return 0 end
redis.call(
  'HSET', KEYS[1], 'stage', 'building', 'total', redis.call('ZCARD', KEYS[2]), 'building_since', ARGV[2]
)
return 1
