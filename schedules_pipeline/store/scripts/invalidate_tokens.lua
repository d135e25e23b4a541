-- Makes every token that was taken for an item too old to be used, where the item still has a fence.
-- KEYS  1 fence (hash)
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'newest', redis.call('HINCRBY', KEYS[1], 'token', 1))
return 1
