-- Invalidates every token of an item that was taken so far, if the item has a version token.
-- KEYS  1 version token (hash)
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'newest', redis.call('HINCRBY', KEYS[1], 'token', 1000))
return 1
