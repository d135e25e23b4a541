-- Gives a build the copy that counts: the one that is there by now, or ours where no newer token has been.
-- KEYS  1 copy (string)  2 fence (hash)
-- ARGV  1 token  2 value  3 seconds for which an idle fence is kept
-- Reply: the copy, or nil where ours came too late
if not redis.call('HGET', KEYS[2], 'owed') then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
local copy = redis.call('GET', KEYS[1])
if copy then return copy end
if tonumber(ARGV[1]) <= tonumber(redis.call('HGET', KEYS[2], 'newest') or '0') then return false end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], 'newest', ARGV[1])
return ARGV[2]
