-- Ignores an event of an item without dependants: rejects everything that was read of the item earlier.
-- Does nothing if a token was taken since, or a copy was stored, because the item may have dependants by now.
-- KEYS  1 copy (string)  2 version token (hash)
-- ARGV  1 token  2 seconds for which an idle version token is kept
-- Reply: 1 if the event is ignored, 0 if the item must be followed
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[1] or redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[2], 'newest', ARGV[1])
redis.call('HDEL', KEYS[2], 'missed')
if redis.call('HEXISTS', KEYS[2], 'owed') == 0 then redis.call('EXPIRE', KEYS[2], ARGV[2]) end
return 1
