-- Records that an event is ignored since nobody needs the item, so that nobody can store what was read before.
-- Not where a token was taken since ours, or a copy has come: then what we saw elsewhere may be over.
-- KEYS  1 copy (string)  2 fence (hash)
-- ARGV  1 token  2 seconds for which an idle fence is kept
-- Reply: 1 if it is ignored, 0 if the item has to be followed after all
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[1] or redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[2], 'newest', ARGV[1])
redis.call('HDEL', KEYS[2], 'missed')
if redis.call('HEXISTS', KEYS[2], 'owed') == 0 then redis.call('EXPIRE', KEYS[2], ARGV[2]) end
return 1
