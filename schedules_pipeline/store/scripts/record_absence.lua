-- Records that a build relies on the absence of an item, so that a copy inserted later is propagated to it.
-- The record does not expire, because the item may come at any time.
-- KEYS  1 copy (string)  2 version token (hash)
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[2], 'missed', 1)
  redis.call('PERSIST', KEYS[2])
end
return 'OK'
