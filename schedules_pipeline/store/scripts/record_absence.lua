-- Notes that a build relies on there being no copy of an item, so that one planted later is owed to the
-- dependants. The note does not expire: the item may come after any time.
-- KEYS  1 copy (string)  2 fence (hash)
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[2], 'missed', 1)
  redis.call('PERSIST', KEYS[2])
end
return 'OK'
